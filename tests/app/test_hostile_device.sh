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
    refuses "device lost" "in a row" VK_ERROR_DEVICE_LOST "--device" -- $layer PUMICE_LAYER=lose=1 "$pumice" $run
    refuses "device gone" "not there any more" "--device" -- $layer NODEVICE_SELECT=1 PUMICE_LAYER=vanish=1 "$pumice" $run
}

# survives NAME WORDS COMMAND...: with that word for the layer the command ends well, with the very output that it has without, and
# says in $rebuilds lines that the device was rebuilt.
rebuilds=1
survives() {
    name=$1 words=$2
    shift 2
    "$@" >"$out/expected" 2>/dev/null <"$out/in" || { bad "fails undisturbed"; return; }
    [ -r "$out/file" ] && mv "$out/file" "$out/expected"
    $layer PUMICE_LAYER="$words" timeout 120 "$@" >"$out/out" 2>"$out/err" <"$out/in"
    status=$?
    [ $status -eq 0 ] || { bad "expected exit status 0, got $status"; return; }
    [ "$(grep -c 'the device was lost and has been rebuilt' "$out/err")" -eq $rebuilds ] || { bad "expected $rebuilds lines about the device"; return; }
    [ -r "$out/file" ] && mv "$out/file" "$out/out"
    [ "$name" = bench ] || cmp -s "$out/expected" "$out/out" || { bad "other output than without the fault"; return; }
    echo "ok $name, $words: $(grep 'has been rebuilt' "$out/err" || true)"
}

printf 'Once upon a time\nand then\n' >"$out/in"
seq 3 3 120 >"$out/ids"
# shellcheck disable=SC2086
for words in lost=16 hang=9 drop=9; do
    survives run "$words" "$pumice" $run
    survives logits "$words" "$pumice" logits -m "$model" --ctx 128 --chunk 8 --no-tune --tokens "$out/ids" -o "$out/file"
    survives bench "$words" "$pumice" bench -m "$model" -p 32 -n 16 -r 1 --no-tune
done
# What is denied once is found elsewhere.
rebuilds=0
# shellcheck disable=SC2086
survives "memory denied" deny=3 "$pumice" $run
rebuilds=1
# A model of stories has no turns.
default=${XDG_DATA_HOME:-$HOME/.local/share}/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf
if [ -r "$default" ]; then
    printf 'Hello\n' >"$out/in"
    survives chat lost=40 "$pumice" chat -m "$default" --ctx 256 -n 8 --temp 0 --no-tune
else
    echo "left out: chat, without the default model"
fi

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
