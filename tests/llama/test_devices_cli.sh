#!/bin/sh
# test_devices_cli.sh PUMICE FOLDER_OF_TESTS DATA [--text-only]: the program with a model's layers on two devices, in an environment that has
# two (with_two_drivers.sh): the answer of one device, figures for both, and a loss of one of them.
set -eu
pumice=$1 tests=$2 stories=$3/models/stories260K/stories260K-f32.gguf
default=${XDG_DATA_HOME:-$HOME/.local/share}/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "failed: $*"
    sed 's/^/    /' "$folder/out" "$folder/err"
    exit 1
}
# runs EXPECTED-STATUS COMMAND…: its output lies in out and err.
runs() {
    expected=$1 status=0
    shift
    "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" -eq "$expected" ] || fail "$*: expected exit status $expected, got $status"
}
says() { grep -qF -- "$1" "$folder/out" "$folder/err" || fail "expected: $1"; }

for path in "$stories" "$default"; do
    [ -r "$path" ] || { echo "skipped: $path is not there"; exit 77; }
done
"$pumice" devices >"$folder/out" 2>"$folder/err" || fail "no devices"
runs 0 "$pumice" run --chat --devices 0,1 -p "What is the capital of France?" --temp 0 --ctx 256 --no-tune
[ "$(cat "$folder/out")" = "The capital of France is Paris." ] || fail "expected the answer of one device"
says " + "
[ "${4:-}" != --text-only ] || exit 0

on="-m $stories --no-tune --ctx 128"
# shellcheck disable=SC2086 # options
{
    runs 0 "$pumice" bench -m "$stories" --no-tune --devices 0,1 -p 16 -n 8 -r 1 --json
    says '"device": "llvmpipe'
    grep -q '"device": ".* + .*"' "$folder/out" || fail "expected the names of both"
    grep -q '"decode_tokens_per_s": [1-9]' "$folder/out" || fail "expected a rate"
    grep -q '"read_peak_gb_per_s": [0-9.]*[1-9]' "$folder/out" || fail "expected a peak"
    runs 1 "$pumice" bench -m "$stories" --devices 0,0 --json
    says "expected different ones"
    runs 1 "$pumice" doctor --devices 0,99 --json
    says 'device "99"'
    [ ! -s "$folder/out" ] || fail "expected nothing on standard output"

    # One that cannot be looked at to its end is an element with a sentence, and the next has its turn.
    on_layer() { env VK_LAYER_PATH="$tests/layers" VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_test NODEVICE_SELECT=1 PUMICE_LAYER="$@"; }
    list() { python3 -c 'import json, sys; print(*[(d["verdict"] or "none") + (" told" if d.get("error") else "") for d in json.load(sys.stdin)], sep=", ")' <"$folder/out"; }
    runs 1 on_layer host=120 "$pumice" doctor --compile --type F32 --devices 0,1 --json # in the process that compiles for each
    [ "$(list)" = "none told, none told" ] || fail "expected two devices for which no memory was left, got: $(list)"
    says "VK_ERROR_OUT_OF_HOST_MEMORY; close other programs and try again"
    runs 1 on_layer vanish=2 "$pumice" doctor --type F32 --devices 0,1 --json --report "$folder/report"
    [ "$(list)" = "none told, none told" ] || fail "expected two devices that are gone, got: $(list)"
    [ "$(grep -c '^checks: not to their end: expected a Vulkan device' "$folder/report")" = 2 ] || fail "expected both in the report"

    # One of them is lost, now this one and now that one: the text is the same.
    runs 0 "$pumice" run $on --devices 0,1 -p "Once upon a time" -n 20 --temp 0
    mv "$folder/out" "$folder/story"
    for n in 31 32; do
        runs 0 env VK_LAYER_PATH="$tests/layers" VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_test PUMICE_LAYER=drop=$n \
            "$pumice" run $on --devices 0,1 -p "Once upon a time" -n 20 --temp 0
        cmp -s "$folder/out" "$folder/story" || fail "expected the text of devices that are not lost"
        says "the device was lost and has been rebuilt"
    done
}
