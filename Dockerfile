# One image with `millrace` and `millrace-operator`, for workers and the operator: the two programs, their libraries and nothing else.
# There is no shell in it, nothing is written but to /tmp, the user is a number.
#
#   scripts/image.sh            builds it with docker, podman or buildah, whichever is there
#   docker build -t millrace .  does the same
#
# Build arguments: JOBS compilations at the same time; TEST=1 runs the unit tests with the libraries of the image.

ARG DEBIAN=debian:trixie-slim

FROM ${DEBIAN} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ cmake ninja-build ccache mold pkg-config python3 ca-certificates \
      libyaml-cpp-dev libsimdjson-dev libxxhash-dev libre2-dev prometheus-cpp-dev libgtest-dev libgmock-dev libcpp-httplib-dev \
      librdkafka-dev libhiredis-dev libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libssl-dev libzmq3-dev libcli11-dev libcpprest-dev \
      tzdata && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY crds crds
COPY worker worker
COPY operator operator
# Of the tests only what CMake reads.
COPY tests tests
COPY docs docs
COPY examples examples
ARG JOBS=2
# By content: in a layer the compiler is as old as the commit.
ENV CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1 CCACHE_COMPILERCHECK=content
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
      -DCMAKE_CXX_FLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE" \
      -DCMAKE_EXE_LINKER_FLAGS="-pie -Wl,-z,relro,-z,now" && \
    ninja -j${JOBS} -C /build millrace_worker millrace_operator
ARG TEST=0
RUN if [ "${TEST}" = 1 ]; then ninja -j${JOBS} -C /build && ctest --test-dir /build -L unit -j${JOBS} --output-on-failure; fi
ARG VERSION=0.1.0
ARG SOURCE_DATE_EPOCH=0
COPY scripts/image_root.py scripts/
RUN mkdir /out && install -s /build/millrace /build/millrace-operator /out && \
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} python3 scripts/image_root.py /image --version ${VERSION} /out/millrace /out/millrace-operator

FROM scratch AS run
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="Streaming jobs in micro-batches, exactly once, without the JVM" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV PATH=/usr/local/bin
USER 10001:10001
WORKDIR /tmp
# Workers are started as `worker --job ...`; the operator by the command `millrace-operator`.
ENTRYPOINT ["millrace"]
CMD ["help"]
