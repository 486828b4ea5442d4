#!/bin/sh
# Unpack Debian's arm64 libraries that the program needs into a folder, without root and without a change to the
# packages of this machine: apt uses separate lists and a separate package database.
#
#     tests/aarch64/sysroot.sh DIR
set -eu
mkdir -p "$1"
root=$(cd "$1" && pwd)
apt=$root/apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"

arm64_apt() {
    apt-get -q -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" \
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Debug::NoLocking=1 "$@"
}

arm64_apt update
arm64_apt install -y --download-only --no-install-recommends libhdf5-dev libtomlplusplus-dev zlib1g-dev libzip-dev
for package in "$apt"/cache/archives/*.deb; do
    dpkg -x "$package" "$root"
done
rm -rf "$apt"
