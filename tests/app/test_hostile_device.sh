#!/bin/sh
# Machines and devices that fail, as a person meets them through the program: exit status 1, one line "pumice: error: …" that says
# what, expected, got and what to do, no text on standard output, no crash.
# usage: test_hostile_device.sh PUMICE FOLDER_OF_TESTS MODEL (a GGUF file); FOLDER_OF_TESTS has no_loader.so and layers/
set -u
pumice=$1 tests=$2 model=$3
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
failed=0

[ -r "$model" ] || { echo "skipped: $model is not there"; exit 77; }
"$pumice" devices >"$out/devices" 2>"$out/err" && [ -s "$out/devices" ] || { echo "skipped: $(cat "$out/err")"; exit 77; }

bad() {
    failed=1
    echo "FAILED $name: $1"
    sed 's/^/    stderr: /' "$out/err"
    sed 's/^/    stdout: /' "$out/out"
}

# refuses NAME WORDS... -- COMMAND...: the command fails with a sentence that has each of the words.
refuses() {
    name=$1
    shift
    : >"$out/words"
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>"$out/words"
        shift
    done
    shift
    timeout 120 "$@" >"$out/out" 2>"$out/err" </dev/null
    status=$?
    [ $status -eq 1 ] || { bad "expected exit status 1, got $status"; return; }
    [ "$(grep -c '^pumice: error: ' "$out/err")" -eq 1 ] || { bad "expected one line that begins with 'pumice: error: '"; return; }
    grep '^pumice: error: ' "$out/err" >"$out/line"
    while IFS= read -r word; do
        grep -qF -- "$word" "$out/line" || { bad "the sentence does not have '$word'"; return; }
    done <"$out/words"
    [ -z "$(tr -d '\n' <"$out/out")" ] || { bad "something on standard output"; return; }
    echo "ok $name: $(cat "$out/line")"
}

run="run -m $model --ctx 128 -n 20 --temp 0 -p Once --no-tune"
no_driver="env VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent"
no_loader="env LD_PRELOAD=$tests/no_loader.so"

# shellcheck disable=SC2086
{
    refuses "no loader, run" libvulkan.so.1 install -- $no_loader "$pumice" $run
    refuses "no loader, devices" libvulkan.so.1 install -- $no_loader "$pumice" devices
    refuses "no driver, run" "Vulkan device" "got none" install -- $no_driver "$pumice" $run
    refuses "unknown name" "no such device" "expected an index or a part of one name" -- "$pumice" $run --device "no such device"
    refuses "index too large" '"99"' "0: " -- "$pumice" $run --device 99
    layer="env VK_LAYER_PATH=$tests/layers VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_test"
    refuses "small heap" " MB" "use a smaller" -- $layer PUMICE_LAYER=heap=500000 "$pumice" $run
    refuses "memory denied" "got none" "--ctx" -- $layer PUMICE_LAYER=deny=3 "$pumice" $run
    refuses "device lost" VK_ERROR_DEVICE_LOST "--device" -- $layer PUMICE_LAYER=lose=1 "$pumice" $run
    refuses "work dropped" "dropped the work" "try again" -- $layer PUMICE_LAYER=drop=1 "$pumice" $run
}

# Without a driver the list of devices is empty, and that is no failure.
name="no driver, devices"
$no_driver "$pumice" devices --json >"$out/out" 2>"$out/err" || bad "expected exit status 0"
[ "$(tr -d ' \n' <"$out/out")" = "[]" ] || bad "expected an empty array"

# Losing the device in the middle leaves what was printed whole, and still fails.
name="lost in the middle"
$layer PUMICE_LAYER=lose=12 "$pumice" $run >"$out/out" 2>"$out/err" </dev/null
status=$?
[ $status -eq 1 ] || bad "expected exit status 1, got $status"
grep -q '^pumice: error: .*DEVICE_LOST' "$out/err" || bad "expected a sentence about the lost device"
[ -s "$out/out" ] || bad "expected the beginning of the text"

[ $failed -eq 0 ] && echo "passed"
exit $failed
