#!/usr/bin/env bash
# test_rootfs.sh ROOT: the second system: what is asked wrongly, a set-up without a network, and, where it has been made, commands in it.
set -eu
tool=$1/tools/rootfs
# shellcheck source=tests/app/checks.sh
. "$(dirname "$0")/checks.sh"
make_folder
refuses "--driver: expected a name, got nothing" run --driver
refuses "--driver: expected one of those that" run --driver voodoo true
refuses "--driver: expected radv:GPU" run --driver radv true
refuses "--driver: expected lavapipe alone" run --driver lavapipe:2 true
refuses "run: expected a command" run --driver lavapipe
refuses "install: expected names of packages" install
refuses "setup: expected nothing or peer, got pear" setup pear
PUMICE_ROOTFS=here refuses "PUMICE_ROOTFS: expected an absolute path" path
export PUMICE_ROOTFS="$folder/root"
refuses "$folder/root: expected a Debian sid there, got none" run true

# No network: a sentence, and the next time begins anew.
mkdir "$folder/bin"
printf '#!/bin/sh\necho "E: Failed getting release file"\nexit 1\n' >"$folder/bin/debootstrap"
printf '#!/bin/sh\nprintf "installed:debootstrap\\n"\n' >"$folder/bin/dpkg-query"
chmod +x "$folder"/bin/*
if unshare --mount --map-root-user true 2>/dev/null; then
    for _ in 1 2; do
        PATH="$folder/bin:$PATH" refuses "getting Debian sid into $folder/root (a minute) did not work" setup
        grep -qF "E: Failed getting release file" "$folder/out" || fail "expected the reason"
    done
fi
[ ! -e "$folder/root/.made" ] || fail "expected nothing to be called made"
unset PUMICE_ROOTFS

[ -e "$("$tool" path)/.ready" ] || {
    echo "skipped: the second system is not there; tools/rootfs setup makes it"
    exit 77
}
# A command's folder, files, exit status and process are those of this system; nothing stays mounted.
cd "$folder"
echo text >file
got=$("$tool" run sh -c 'echo $(cat file) $(pwd) $(cat /etc/debian_version)')
[ "${got%/sid}/sid" = "$got" ] && [ "${got#text "$folder" }" != "$got" ] || fail "expected the file's text, this folder and sid, got $got"
status=0
"$tool" run sh -c 'exit 3' >"$folder/out" 2>&1 || status=$?
[ $status = 3 ] || fail "expected exit status 3, got $status"
"$tool" run sleep 100 &
pid=$!
sleep 1
kill "$pid"
wait "$pid" || status=$?
[ $status = 143 ] || fail "expected the signal to end the command, got $status"
if grep -q "$("$tool" path)" /proc/self/mounts; then fail "expected nothing to stay mounted"; fi
for driver in lavapipe=llvmpipe radv:navi31=NAVI31 nvk:172=NVK turnip:740='Adreno (TM) 740'; do
    "$tool" run --driver "${driver%%=*}" vulkaninfo --summary >"$folder/out" 2>/dev/null || fail "$driver: exit status $?"
    grep "deviceName" "$folder/out" | grep -qF "${driver#*=}" || fail "$driver: expected that device"
done
echo "commands run in it, on four drivers"
