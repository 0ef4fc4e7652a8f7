#!/usr/bin/env bash
# test_arm64.sh ROOT: what is asked wrongly of tools/arm64, a set-up without a network, and, where it is there, a program run in it.
set -eu
tool=$1/tools/arm64
# shellcheck source=tests/app/checks.sh
. "$(dirname "$0")/checks.sh"
make_folder
refuses "--driver: expected a name, got nothing" run --driver
refuses "--suite: expected the name of a suite, got nothing" run --suite
refuses "run: expected a command" run --driver lavapipe
refuses "expected the name of a suite of Debian" path ../..
refuses "setup: expected a suite or nothing" setup sid bookworm
PUMICE_ARM64=here refuses "PUMICE_ARM64: expected an absolute path" path
PUMICE_ARM64="$folder/none" refuses "$folder/none/sid: expected Debian sid for arm64 there, got none: run" run true

# No network: a sentence, and nothing that would be taken for ready.
mkdir "$folder/bin"
printf '#!/bin/sh\ncase "$*" in *indextargets*) echo "sid main file:/mirror" ;; *) echo "E: no network"; exit 1 ;; esac\n' >"$folder/bin/apt-get"
printf '#!/bin/sh\nprintf "installed:qemu-user-static\\ninstalled:gcc-aarch64-linux-gnu\\n"\n' >"$folder/bin/dpkg-query"
chmod +x "$folder"/bin/*
for _ in 1 2; do
    PUMICE_ARM64="$folder/new" PATH="$folder/bin:$PATH" refuses "getting Debian sid for arm64 into $folder/new/sid did not work" setup sid
    grep -qF "E: no network" "$folder/out" || fail "expected the reason"
done
[ ! -e "$folder/new/sid/.ready" ] || fail "expected nothing to be called ready"

[ -e "$("$tool" path sid)/.ready" ] || {
    echo "skipped: Debian sid for arm64 is not there; tools/arm64 setup sid gets it"
    exit 77
}
refuses "--driver: expected one of those that" run --driver voodoo true
refuses "--driver: expected panvk:GPU" run --driver panvk true
refuses "--driver: expected lavapipe alone" run --driver lavapipe:2 true
for driver in lavapipe=llvmpipe panvk:a867=Mali-G610; do
    "$tool" run --driver "${driver%%=*}" vulkaninfo --summary >"$folder/out" 2>&1 || fail "$driver: exit status $?"
    grep deviceName "$folder/out" | grep -qF "${driver#*=}" || fail "$driver: expected that device"
done
echo "arm64 programs run, on two drivers"
