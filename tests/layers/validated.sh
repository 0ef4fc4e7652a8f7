#!/usr/bin/env bash
# Runs programs in the second system (tools/rootfs) under the newest validation layer; any message of the layer is a failure, but for the
# rows of validation_exceptions.txt.
#   validated.sh CHECK SOURCES FOLDER PROGRAM[,ARGUMENT] …      FOLDER: of the built tests
# CHECK: what validation_CHECK.txt switches on (sync, gpu, practices), or gpu_newest. With TWICE=1 there are two devices.
set -uo pipefail
check=$1 sources=$2 folder=$3
shift 3
tests=$sources/tests/layers exceptions=$sources/tests/layers/validation_exceptions.txt
root=$("$sources/tools/rootfs" path)
[ -e "$root/.ready" ] || { echo "skipped: the second system is not there; tools/rootfs setup makes it"; exit 77; }
place=$(mktemp -d) # in /tmp, which the second system sees
trap 'rm -rf "$place"' EXIT
log=$place/messages out=$place/out

# What the programs bring: the cmocka that they were built with.
carry() { ldd "$1" | sed -n "s,.*=> \(/[^ ]*$2[^ ]*\) .*,\1,p" | xargs -r cp -Lt "$place"; }
carry "$folder/test_validation" libcmocka
settings=$tests/validation_${check%_newest}.txt
cp "$settings" "$place/vk_layer_settings.txt"
driver=/usr/share/vulkan/icd.d/lvp_icd.json
case $check in
gpu)
    # Lavapipe 26.2 ends in compiled code with a null pointer when the layer has put its checks of descriptors into rmsnorm_subgroup, at
    # widths of 128 to 512; the same kernel runs so on lavapipe 22.3 and on SwiftShader. So this check takes the lavapipe of this system along.
    for library in /usr/lib/*/libvulkan_lvp.so; do :; done
    [ -e "$library" ] || { echo "skipped: lavapipe is not installed (Debian: mesa-vulkan-drivers)"; exit 77; }
    carry "$library" "/"
    rm -f "$place"/{libc,libm,libdl,libpthread,librt,libstdc++,libgcc_s}.so.* "$place"/ld-linux*
    cp -L "$library" "$place"
    driver=$place/icd.json
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$place/${library##*/}" >"$driver"
    ;;
gpu_newest) # and the newest goes without just these; races and addresses are still checked, in the kernels that only it can run
    echo "khronos_validation.gpuav_descriptor_checks = false" >>"$place/vk_layer_settings.txt"
    ;;
esac
if [ "${TWICE:-}" = 1 ]; then # the same driver under another name
    case $driver in "$place"/*) cp "$driver" "$place/twin.json" ;; *) cp "$root$driver" "$place/twin.json" ;; esac
    driver=$driver:$place/twin.json
fi
printf 'khronos_validation.%s\n' "log_filename = $log" "debug_action = VK_DBG_LAYER_ACTION_LOG_MSG" "report_flags = error,warn,perf" \
    "duplicate_message_limit = 2" >>"$place/vk_layer_settings.txt"

# Prints the ids that the layer said and no row of the table excepts for this check.
complaints() {
    grep -a '^Validation ' "$log" 2>/dev/null | sed -n 's/^Validation [A-Za-z ]*: \[ \([^] ]*\) \].*/\1/p' | sort | uniq -c |
        while read -r n id; do
            awk -v check="$check" -v program="${program%%,*}" -v id="$id" \
                '($1 == check || $1 "_newest" == check) && ($2 == "*" || $2 == program) && $3 == id { found = 1 } END { exit !found }' \
                "$exceptions" || echo "$id ($n times)"
        done
}

failed=0
# What a row excepts stands, with its id, beside the code that causes it.
while read -r kind _ id where; do
    case $kind in '' | '#'*) continue ;; esac
    grep -qs "$id" "$sources/$where" || { echo "failed: validation_exceptions.txt: expected a comment with $id in $where, got none"; failed=1; }
done <"$exceptions"
for program; do
    rm -f "$log"
    seconds=$SECONDS
    command=("$folder/${program%%,*}")
    case $program in *,*) command+=("${program#*,}") ;; esac
    "$sources/tools/rootfs" run env "LD_LIBRARY_PATH=$place" "VK_DRIVER_FILES=$driver" VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation \
        "VK_LAYER_SETTINGS_PATH=$place/vk_layer_settings.txt" NODEVICE_SELECT=1 VK_ADD_LAYER_PATH=/usr/share/vulkan/explicit_layer.d ASAN_OPTIONS=detect_leaks=0 "${command[@]}" >"$out" 2>&1
    status=$?
    if [ $status = 77 ]; then
        tail -n 1 "$out"
        exit 77
    fi
    said=$(complaints | tr '\n' ' ')
    [ -e "$log" ] || said="expected a log of the validation layer, got none: it was not there" # it begins one whatever it has to say
    if [ $status = 0 ] && [ -z "$said" ]; then
        echo "passed: $program under $check, $((SECONDS - seconds)) s"
        continue
    fi
    cat "$out"
    [ ! -e "$log" ] || head -c 20000 "$log"
    echo "failed: $program under $check (exit status $status): $said"
    failed=1
done
exit $failed
