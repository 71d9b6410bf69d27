# One image with `millrace` and `millrace-operator`, for workers and the operator. No shell is needed to run it, nothing is written but
# to /tmp, the user is a number.
#
#   scripts/image.sh            builds it with docker, podman or buildah, whichever is there
#   docker build -t millrace .  does the same

ARG DEBIAN=debian:trixie-slim

FROM ${DEBIAN} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      g++ cmake ninja-build ccache mold pkg-config python3 \
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
ENV CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
      -DCMAKE_CXX_FLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE" \
      -DCMAKE_EXE_LINKER_FLAGS="-pie -Wl,-z,relro,-z,now" && \
    ninja -j${JOBS} -C /build millrace_worker millrace_operator && \
    mkdir -p /out/usr/local/bin && \
    install -s /build/millrace /build/millrace-operator /out/usr/local/bin/
# The packages of the programs' libraries, by what the linker found, for the next stage.
RUN ldd /out/usr/local/bin/* | awk '/=> \//{print $3}' | sort -u | xargs -n 1 readlink -f | xargs dpkg -S 2>/dev/null | \
      cut -d: -f1 | sort -u | grep -vx 'libc6\|libgcc-s1\|libstdc++6' > /out/packages

FROM ${DEBIAN} AS run
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="Streaming jobs in micro-batches, exactly once, without the JVM" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN --mount=type=bind,from=build,source=/out,target=/out \
    apt-get update && xargs apt-get install -y --no-install-recommends ca-certificates tzdata libstdc++6 < /out/packages && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/*/*.gz /usr/share/man /usr/share/locale && \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} + && \
    cp /out/usr/local/bin/* /usr/local/bin/ && \
    mkdir -p /usr/share/millrace && \
    dpkg-query -W -f '{"name":"${Package}","version":"${Version}","architecture":"${Architecture}"}\n' > /usr/share/millrace/packages.jsonl
USER 10001:10001
WORKDIR /tmp
# Workers are started as `worker --job ...`; the operator by the command `millrace-operator`.
ENTRYPOINT ["millrace"]
CMD ["help"]
