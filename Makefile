# Every command of the project; `make help` lists them.
SHELL := /bin/bash
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
# Compilations are shared between clones of the project on one machine.
export CCACHE_BASEDIR ?= /
export CCACHE_NOHASHDIR ?= 1

.PHONY: help demo build test test-cluster cluster cluster-down test-ship ship image bench fuzz format tidy deps sanitize kafka crd bench-peers clean

help:
	@echo "make demo      install what is needed, build, and count the words of this machine's own documentation"
	@echo "make build     build ./build/release/millrace (PRESET=debug|asan+ubsan|tsan for others)"
	@echo "make test      install what is needed, build everything, run every test"
	@echo "make test-cluster  build Kubernetes (minutes, once); try manifest, examples and operator on its API server, and a job on a whole node"
	@echo "make cluster   run a Kubernetes node on this machine until make cluster-down (root)"
	@echo "make test-ship  build helm (minutes, once) and check the chart, dashboards and alerts (with Prometheus)"
	@echo "make ship      write what the chart and deploy/ copy from other places"
	@echo "make image     build the image with both programs (IMAGE=\"--base --archive millrace.tar\"; see scripts/image.sh)"
	@echo "make sanitize  run the unit tests under asan+ubsan and tsan"
	@echo "make kafka     run a Kafka broker on a free port of this machine until Ctrl-C (KAFKA=\"--brokers 3\")"
	@echo "make crd       write crds/streamingjob.yaml from the descriptions of the fields"
	@echo "make bench     run the benchmarks (see bench/README.md)"
	@echo "make bench-peers  run Flink and Spark jobs on the inputs of bench/kafka/"
	@echo "make fuzz      run each fuzzer for 60 s (clang)"
	@echo "make format    format the sources; make tidy: run clang-tidy"

deps:
	@scripts/install-deps.sh

build: deps
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target millrace_worker
	@scripts/demo.sh $(CURDIR)/build/release/millrace

test: build
	@scripts/install-deps.sh --kafka --redis --model --schema
	@ctest --preset $(PRESET) -j $(JOBS)

cluster:
	@scripts/install-deps.sh --cluster
	@tests/crd/build_apiserver.sh
	@tests/cluster/build_node.sh
	@/usr/bin/python3 tests/cluster/node.py up

cluster-down:
	@/usr/bin/python3 tests/cluster/node.py down

test-cluster: deps
	@scripts/install-deps.sh --schema --cluster --kafka
	@tests/crd/build_apiserver.sh
	@tests/cluster/build_node.sh
	@tests/ship/build_helm.sh
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target millrace_operator --target millrace_worker
	@/usr/bin/python3 tests/crd/apiserver_test.py $(CURDIR)
	@/usr/bin/python3 tests/operator/operator_test.py $(CURDIR)/build/release/millrace-operator
	@/usr/bin/python3 tests/operator/faults_test.py $(CURDIR)/build/release/millrace-operator
	@/usr/bin/python3 tests/operator/lifecycle_test.py $(CURDIR)/build/release/millrace-operator
	@/usr/bin/python3 tests/operator/acceptance_test.py $(CURDIR)/build/release/millrace-operator
	@/usr/bin/python3 tests/operator/security_test.py $(CURDIR)/build/release/millrace-operator
	@/usr/bin/python3 tests/ship/release_test.py $(CURDIR)
	@/usr/bin/python3 tests/cluster/cluster_test.py $(CURDIR)

test-ship: build
	@scripts/install-deps.sh --schema --monitoring
	@tests/ship/build_helm.sh
	@ctest --preset $(PRESET) -L ship

ship:
	@dashboards/build.py
	@tests/ship/build_helm.sh
	@scripts/ship.py

image:
	@scripts/install-deps.sh --image
	@scripts/image.sh $(IMAGE)

sanitize:
	@for preset in asan+ubsan tsan; do \
	  cmake --preset $$preset >/dev/null && cmake --build --preset $$preset -j $(JOBS) && \
	  ctest --preset $$preset -j $(JOBS) -L unit || exit 1; done

kafka:
	@scripts/install-deps.sh --kafka
	@/usr/bin/python3 tests/kafka/broker.py run $(KAFKA)

crd: deps
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target millrace_crd_tool
	@$(BUILD)/crds/crd/millrace-crd > crds/streamingjob.yaml

bench: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)
	@bench/run.sh build/release

bench-peers:
	@scripts/install-deps.sh --kafka --peers
	@/usr/bin/python3 bench/kafka/engines.py

fuzz:
	@scripts/install-deps.sh --dev
	@scripts/fuzz.sh

format:
	@scripts/install-deps.sh --dev
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

tidy:
	@scripts/install-deps.sh --dev
	@cmake --preset debug >/dev/null
	@git ls-files 'crds/*.cc' 'worker/*.cc' 'operator/*.cc' | xargs -P $(JOBS) -n 4 \
	  clang-tidy --quiet -p build/debug --extra-arg=-Wno-unknown-warning-option

clean:
	@rm -rf build
