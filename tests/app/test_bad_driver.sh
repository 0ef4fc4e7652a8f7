#!/usr/bin/env bash
# A driver that takes the program with it as soon as it is loaded, beside one that is right; and a layer that does.
#   test_bad_driver.sh PUMICE FOLDER MODEL            FOLDER has bad_driver.json and bad_layer.json
set -u
tool=$1 bad=$2 model=$3
. "$(dirname "$0")/checks.sh"
[ -r "$model" ] || skip "$model is not there"
"$tool" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
make_folder
export XDG_CACHE_HOME=$folder/cache
cp "$bad/bad_driver.json" "$folder/bad.json"
if [ -n "${VK_DRIVER_FILES:-}" ]; then
    drivers="$folder/bad.json:$VK_DRIVER_FILES"
    beside() { VK_DRIVER_FILES=$drivers VK_ICD_FILENAMES=$drivers "$@"; }
else
    beside() { VK_ADD_DRIVER_FILES=$folder/bad.json "$@"; }
fi
# The harm is done to a process whose end is no news.
ulimit -c 0

# lists STATUS WORD…: the list of devices has the right driver, and the words.
lists() {
    beside "$tool" devices >"$folder/out" 2>"$folder/err" || fail "devices: expected exit status 0, got $?"
    grep -q '^\*' "$folder/out" || fail "expected a device"
    for word in "$@"; do expect "$word"; done
}
warns() { grep -qF "is left out" "$folder/err"; }

for harm in "crash:it ends the program that loads it (signal 11, SIGSEGV)" "exit:it ends the program that loads it (exit status 3)" \
    "hang:the program that loads it does not go on"; do
    export PUMICE_BAD_DRIVER=${harm%%:*}
    rm -rf "$XDG_CACHE_HOME"
    lists "the driver of $folder/bad.json" "left out: ${harm#*:}"
    warns || fail "$PUMICE_BAD_DRIVER: expected a warning"
    lists "left out: ${harm#*:}"
    warns && fail "$PUMICE_BAD_DRIVER: a warning again"
done

# Somebody else's doing, as that of a system without memory, is nothing to keep.
export PUMICE_BAD_DRIVER=killed
rm -rf "$XDG_CACHE_HOME"
beside "$tool" devices >"$folder/out" 2>"$folder/err"
grep -rqF "left out" "$folder/out" "$folder/err" "$XDG_CACHE_HOME" && fail "a driver was blamed for what others did"

export PUMICE_BAD_DRIVER=crash
rm -rf "$XDG_CACHE_HOME"
"$tool" run -m "$model" -n 20 --temp 0 -p Once --no-tune >"$folder/right" 2>/dev/null || fail "run: expected exit status 0, got $?"
beside "$tool" run -m "$model" -n 20 --temp 0 -p Once --no-tune >"$folder/out" 2>/dev/null || fail "run: expected exit status 0, got $?"
cmp -s "$folder/right" "$folder/out" || fail "run: another text than without the bad driver"
VK_DRIVER_FILES=$folder/bad.json VK_ICD_FILENAMES=$folder/bad.json refuses "expected a Vulkan driver that can be loaded" devices

# One that can be loaded and not used.
rm -rf "$XDG_CACHE_HOME"
VK_LAYER_PATH=$bad/../layers VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_test PUMICE_LAYER=die "$tool" devices >"$folder/out" 2>&1
expect "it ends the program that loads it (signal 11, SIGSEGV)"

# What is mended is used again, as soon as its file is another.
export PUMICE_BAD_DRIVER=none
lists
touch -d "1 hour ago" "$folder/bad.json"
lists
grep -qF "left out" "$folder/out" && fail "a driver that was mended: still left out"

# One that was right and is no more takes one start with it at most.
export PUMICE_BAD_DRIVER=crash
(beside "$tool" devices >"$folder/out" 2>&1) 2>/dev/null && fail "expected the first start to end"
lists "left out: it ends the program that loads it (signal 11, SIGSEGV)"

# With a layer nobody but it is blamed; with both, both.
mkdir -p "$folder/data/vulkan/implicit_layer.d"
cp "$bad/bad_layer.json" "$folder/data/vulkan/implicit_layer.d"
export XDG_DATA_HOME=$folder/data PUMICE_BAD_LAYER=exit PUMICE_BAD_DRIVER=none
lists "implicit layers" "left out: it ends the program that loads it (exit status 3)"
grep -qF "the driver of" "$folder/out" && fail "a layer: a driver was blamed"
lists "implicit layers"
export PUMICE_BAD_DRIVER=crash
touch -d "2 hours ago" "$folder/bad.json"
lists "implicit layers" "exit status 3" "the driver of $folder/bad.json" "SIGSEGV"
echo "passed"
