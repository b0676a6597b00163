#!/usr/bin/env bash
# Makes the Python in which tests run transformers, torchao, peft, compressed-tensors, onnx and llama.cpp: a virtual
# environment with what scripts/test-requirements.txt pins, in .venv-tests/ (which git ignores) or in the folder given.
# Prints the path of its interpreter, which the tests find as HALFTONE_PYTHON. One of the same requirements is left alone.
#
# Needs Python 3.11 or newer with venv, and pip set up for a registry. On Linux PyPI has torch
# with its CUDA libraries only, 3.1 GB to fetch and 5.5 GB on disk; pip takes the CPU build where its index has one.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
venv="${1:-$root/.venv-tests}"
pins=("$root/bench/requirements.txt" "$root/scripts/test-requirements.txt")

fail() {
    printf 'make-test-venv: %s\n' "$1" >&2
    exit 1
}

find_python() {
    local python
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    fail "needs Python 3.11 or newer with venv. Install it from your system's packages (python3, python3-venv)."
}

if [ ! -x "$venv/bin/python" ] || ! cat "${pins[@]}" | cmp -s - "$venv/requirements.txt"; then
    [ ! -e "$venv" ] || [ -e "$venv/pyvenv.cfg" ] || fail "$venv is no virtual environment. Give a folder that is absent."
    python="$(find_python)"
    printf 'Making %s\n' "$venv" >&2
    "$python" -m venv --clear "$venv"
    # What is imported is compiled then; all of it would take as long as the rest.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r "${pins[1]}" >&2 ||
        fail "pip could not install ${pins[1]}. Check the network, pip's index and the disk's space."
    cat "${pins[@]}" >"$venv/requirements.txt"
fi
echo "$(cd "$venv" && pwd)/bin/python"
