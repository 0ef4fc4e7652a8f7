#!/bin/sh
# Runs a command with two CPU drivers in one Vulkan instance.
#   with_two_drivers.sh twice|both SOURCES COMMAND…
# twice: lavapipe and lavapipe again, under another name; both: lavapipe and SwiftShader, which tools/test has unpacked.
set -eu
which=$1 sources=$2
shift 2
for lavapipe in /usr/share/vulkan/icd.d/lvp_icd.*.json; do :; done
[ -r "$lavapipe" ] || { echo "skipped: lavapipe is not installed (Debian: mesa-vulkan-drivers)"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ "$which" = twice ]; then
    cp "$lavapipe" "$folder/again.json"
    other=$folder/again.json
else
    other=$sources/build/swiftshader/icd.json
    [ -r "$other" ] || { echo "skipped: SwiftShader is not there; tools/test gets it"; exit 77; }
fi
# Older loaders know the second name only.
VK_DRIVER_FILES=$lavapipe:$other VK_ICD_FILENAMES=$lavapipe:$other "$@"
