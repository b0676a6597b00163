# Read by the launcher, bench/kernels/run and .ci/run: the JDK to run, and what a JVM that computes with tensors needs.

# A JDK names its version in the file `release`: reading it is a hundred times faster than asking `java -version`.
is_jdk25() {
    [ -x "$1/bin/java" ] && [ -f "$1/release" ] || return 1
    local version
    version="$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")"
    [ "${version:-0}" -ge 25 ]
}

# Prints the home of a JDK 25 or newer; fails where there is none.
find_jdk() {
    local java_on_path home
    java_on_path="$(command -v java || true)"
    for home in "${HALFTONE_JAVA_HOME:-}" "${JAVA_HOME:-}" \
        "${java_on_path:+$(dirname "$(dirname "$(readlink -f "$java_on_path")")")}" \
        /usr/lib/jvm/* /usr/java/* /opt/jdk* /opt/java/* \
        /Library/Java/JavaVirtualMachines/*/Contents/Home \
        "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* "$HOME"/.jbang/cache/jdks/*; do
        if [ -n "$home" ] && is_jdk25 "$home"; then
            printf '%s' "$home"
            return
        fi
    done
    printf '%s: needs a JDK 25 or newer and found none. Install one (for example Eclipse Temurin 25 from your system'"'"'s packages) or set HALFTONE_JAVA_HOME.\n' "${0##*/}" >&2
    return 1
}

# Native libraries, and the collector that needs the least memory.
jvm_options=(--enable-native-access=ALL-UNNAMED -XX:+UseSerialGC)

# The vector kernels' incubator module, MKL where it is there, and native memory without a cap of JavaCPP's own.
tensor_options=(
    --add-modules jdk.incubator.vector
    -Dorg.bytedeco.openblas.load=mkl_rt
    -Dorg.bytedeco.javacpp.maxBytes=0 -Dorg.bytedeco.javacpp.maxPhysicalBytes=0
)

# Threads that wait for each other spin for some microseconds and then sleep: spinning on makes a step many times slower
# where the machine does anything else besides, sleeping at once a fifth slower where it does not (docs/log.md).
tensor_threads() {
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" KMP_BLOCKTIME="${KMP_BLOCKTIME:-0}"
    export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-5000}"
}

# The C library keeps freed memory for the next step, which would otherwise pay for its pages again.
tensor_memory() {
    export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-1073741824}"
    export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-4294967296}"
}
