#!/bin/sh
# Install what is missing, build, and run the main job or the tests. Running it again is cheap and safe.
#
#     ./setup.sh demo    runs 0 and 1 of the experiment on dino, full length; table, pictures and report under runs/
#     ./setup.sh test    the whole test suite, all but the slow tests under the sanitizers, a build for 64-bit Arm
#     ./setup.sh gpu     with a CUDA device: the tests of the backends on it, then measurements; 8 minutes
#
# Made for Debian 12. Packages come from apt (with sudo where the user is not root) and only when they are
# missing; Python packages go into .venv. CUDA is used where its compiler is found, never installed.
set -eu
cd "$(dirname "$0")"

packages="build-essential cmake libhdf5-dev libtomlplusplus-dev zlib1g-dev libzip-dev python3 python3-venv ca-certificates"
test_packages="git libopenblas-dev hdf5-tools clang clang-tidy libclang-rt-dev"
arm_packages="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user"
jobs=$(nproc 2>/dev/null || echo 2)
python=.venv/bin/python3

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

# missing PACKAGE...: prints those that are not installed.
missing() {
    for package in "$@"; do
        # A line for each architecture that has it.
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf ' %s' "$package"
    done
}

have_apt() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

install_packages() {
    if ! have_apt; then
        say "no apt here; these packages of Debian are assumed to be installed: $*"
        return
    fi
    new=$(missing "$@")
    [ -n "$new" ] || return 0
    say "installing$new"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "run as root, or install sudo, or install these packages yourself:$new"
        root=sudo
    fi
    mkdir -p build
    quietly build/apt.log $root env DEBIAN_FRONTEND=noninteractive apt-get update
    quietly build/apt.log $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $new
}

# install_python_packages FILE: pip's list of packages, into .venv.
install_python_packages() {
    stamp=.venv/installed-$1
    cat requirements.txt "$1" | cmp -s - "$stamp" && return
    say "installing the Python packages of $1 into .venv"
    mkdir -p build
    [ -x .venv/bin/pip ] || quietly build/venv.log python3 -m venv .venv
    quietly build/pip.log $python -m pip install --disable-pip-version-check -r "$1"
    cat requirements.txt "$1" >"$stamp"
}

# A stage of the tests and what it took, for the list at the end.
stages=
stage_begins() { began=$(date +%s); }
stage_ends() {
    seconds=$(($(date +%s) - began))
    stages="$stages$(printf '%4d min %02d s  %s' $((seconds / 60)) $((seconds % 60)) "$*")
"
    say "$* took $seconds s"
}

# build DIR TARGETS OPTION...
build() {
    directory=$1
    targets=$2
    shift 2
    stage_begins
    say "building into $directory (its build.log grows)"
    mkdir -p "$directory"
    quietly "$directory/configure.log" cmake -S . -B "$directory" -DCMAKE_BUILD_TYPE=Release "$@"
    quietly "$directory/build.log" cmake --build "$directory" --parallel "$jobs" --target $targets
    stage_ends "building $directory"
}

demo() {
    build build dualdiff
    for run in run_0 run_1; do
        say "training $run on dino (stop with Ctrl-C; the same command resumes)"
        build/dualdiff train "configs/$run.toml" --dataset dino --backend cpu
    done
    for command in floor oracle; do
        say "what perfect samples get: dualdiff $command"
        build/dualdiff $command configs/run_1.toml --dataset dino --draws 1 --out runs >build/$command.log
    done
    say "what the gate and the experts do: dualdiff analyze"
    build/dualdiff analyze runs/run_1/dino/seed_0.h5 >build/analyze.log
    build/dualdiff compare runs
    build/dualdiff compare runs --format markdown --output runs/table.md
    build/dualdiff plot runs
    build/dualdiff report runs
    say "open this file in a browser: $PWD/runs/report.html"
    say "results: runs/*/dino/seed_0.h5; table: runs/table.md; pictures: runs/plots/"
}

# A test that is too slow is stopped. The limit grows with what else the machine is doing.
time_limit() {
    load=$(cut -d . -f 1 /proc/loadavg 2>/dev/null || echo 0)
    echo $((1200 * (1 + load / jobs)))
}

failed=

# run_tests DIR OPTION...: a failure is reported, and the next stage runs.
run_tests() {
    directory=$1
    shift
    say "tests in $directory"
    stage_begins
    if ! ctest --test-dir "$directory" --output-on-failure --parallel "$jobs" --repeat after-timeout:2 "$@"; then
        say "tests failed in $directory; again, these alone: ctest --test-dir $directory --rerun-failed --output-on-failure"
        failed="$failed $directory"
    fi
    stage_ends "tests in $directory"
}

# If Debian's cross compiler or the emulator is missing: a message, not a failure.
arm_tests() {
    if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-g++ >/dev/null; then
        say "64-bit Arm: left out; it needs $arm_packages"
        return
    fi
    sysroot=$PWD/build-aarch64/sysroot
    mkdir -p build-aarch64
    if [ ! -d "$sysroot" ]; then
        say "unpacking Debian's arm64 libraries into $sysroot"
        if ! tests/aarch64/sysroot.sh "$sysroot.part" >build-aarch64/sysroot.log 2>&1; then
            say "64-bit Arm: left out; the libraries cannot be had (build-aarch64/sysroot.log)"
            return
        fi
        mv "$sysroot.part" "$sysroot"
    fi
    tests=$(grep -v '^#' tests/aarch64/tests.txt | tr '\n' ' ')
    build build-aarch64 "dualdiff $tests" -DDD_WERROR=ON -DDD_CUDA=OFF "-DDD_SYSROOT=$sysroot" \
        "-DCMAKE_TOOLCHAIN_FILE=$PWD/tests/aarch64/toolchain.cmake"
    run_tests build-aarch64 -R "^($(echo $tests | tr ' ' '|'))\$"
}

# The devices that the tests build the CUDA backend for: all that nvcc knows would take three times as long, so only the
# thorough tests (tests/thorough.py) do it.
test_devices() {
    case "${DUALDIFF_THOROUGH-}" in
    "" | 0) echo "75;90" ;;
    *) echo all ;;
    esac
}

tests() {
    limit=-DDD_TEST_TIMEOUT=$(time_limit)
    build build all -DDD_WERROR=ON "$limit" "-DDD_CUDA_ARCHITECTURES=$(test_devices)"
    run_tests build
    build build-sanitize all -DDD_WERROR=ON -DDD_SANITIZE=ON "$limit"
    run_tests build-sanitize -LE slow
    arm_tests
    say "stages:"
    printf '%s' "$stages"
    [ -z "$failed" ] || fail "tests failed in:$failed"
    say "all passed"
}

gpu() {
    $python bench/device.py || fail "a stage failed on the GPU; the file that is named above says which"
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
case "$1" in
demo)
    install_packages $packages
    install_python_packages requirements.txt
    demo
    ;;
test)
    install_packages $packages $test_packages
    (install_packages $arm_packages) || say "64-bit Arm: its packages cannot be installed"
    install_python_packages requirements-test.txt
    tests
    ;;
gpu)
    install_packages $packages $test_packages
    install_python_packages requirements-test.txt
    gpu
    ;;
esac
