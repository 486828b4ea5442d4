#!/bin/sh
# Install what is missing, build, and run the main job or the tests. Running it again is cheap and safe.
#
#     ./setup.sh demo    runs 0 and 1 of the experiment on dino, full length; table and pictures under runs/
#     ./setup.sh test    the whole test suite, then all but the slow tests under the sanitizers
#     ./setup.sh gpu     with a CUDA device: the tests of the backends on it, then timings
#
# Made for Debian 12. Packages come from apt (with sudo where the user is not root) and only when they are
# missing; Python packages go into .venv. CUDA is used where its compiler is found, never installed.
set -eu
cd "$(dirname "$0")"

packages="build-essential cmake git libhdf5-dev libtomlplusplus-dev libopenblas-dev hdf5-tools python3 python3-venv ca-certificates"
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '== %s\n' "$*"; }
fail() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

# quietly LOG COMMAND...: output goes to the log, and its end to the terminal if the command fails.
quietly() {
    log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        fail "'$*' failed; all of its output is in $log"
    fi
}

install_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "no apt here; going on in the hope that there is what Debian calls: $packages"
        return
    fi
    missing=
    for package in $packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "run as root, or install sudo, or install these packages yourself:$missing"
        root=sudo
    fi
    mkdir -p build
    quietly build/apt.log $root env DEBIAN_FRONTEND=noninteractive apt-get update
    quietly build/apt.log $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

install_python_packages() {
    cmp -s requirements.txt .venv/installed.txt && return
    say "installing the Python packages of requirements.txt into .venv"
    mkdir -p build
    [ -x .venv/bin/pip ] || quietly build/venv.log python3 -m venv .venv
    quietly build/pip.log .venv/bin/python3 -m pip install --disable-pip-version-check -r requirements.txt
    cp requirements.txt .venv/installed.txt
}

# build DIR TARGET OPTION...
build() {
    directory=$1
    target=$2
    shift 2
    say "building into $directory (its build.log grows)"
    mkdir -p "$directory"
    quietly "$directory/configure.log" cmake -S . -B "$directory" -DCMAKE_BUILD_TYPE=Release "$@"
    quietly "$directory/build.log" cmake --build "$directory" --target "$target" --parallel "$jobs"
}

demo() {
    build build dualdiff
    for run in run_0 run_1; do
        say "training $run on dino (stop with Ctrl-C; the same command goes on)"
        build/dualdiff train "configs/$run.toml" --dataset dino --backend cpu
    done
    build/dualdiff compare runs
    build/dualdiff compare runs --format markdown --output runs/table.md
    build/dualdiff plot runs
    say "results: runs/run_0/dino/seed_0.h5, runs/run_1/dino/seed_0.h5; table: runs/table.md; pictures: runs/plots/"
}

# run_tests DIR OPTION...
run_tests() {
    directory=$1
    shift
    say "tests in $directory"
    ctest --test-dir "$directory" --output-on-failure --parallel "$jobs" "$@" || fail "tests failed in $directory"
}

tests() {
    build build all -DDD_WERROR=ON
    run_tests build
    build build-sanitize all -DDD_WERROR=ON -DDD_SANITIZE=ON
    run_tests build-sanitize -LE slow
    say "all passed"
}

gpu() {
    command -v nvidia-smi >/dev/null || fail "nvidia-smi is not found: no NVIDIA driver answers here"
    devices=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | tr -d . | sort -u | paste -s -d ';')
    build build-gpu all -DDD_CUDA=ON -DDD_GPU_TESTS=ON "-DDD_CUDA_ARCHITECTURES=$devices"
    ctest --test-dir build-gpu --output-on-failure -L gpu || fail "tests failed on the GPU"
    .venv/bin/python3 bench/bench.py --device cuda --build build-gpu
    say "all passed on $(build-gpu/dualdiff --version | grep 'backend cuda')"
}

case "${1-}" in
demo | test | gpu) ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
[ $# -eq 1 ] || fail "one argument: demo, test or gpu"
install_packages
install_python_packages
case "$1" in
demo) demo ;;
test) tests ;;
gpu) gpu ;;
esac
