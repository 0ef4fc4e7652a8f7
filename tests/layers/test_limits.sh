#!/usr/bin/env bash
# The op tests and a model on a device with lower limits or fewer features, as WORDS of limits.c say, below the validation layer.
#   test_limits.sh WORDS FOLDER PROGRAM …      FOLDER: of the built tests, with layers/ in it
set -uo pipefail
words=$1 folder=$2
shift 2
PUMICE_TRUE_SUBGROUP=$("$folder/test_limits" size) || true # without a device a program says so
export PUMICE_TRUE_SUBGROUP PUMICE_LIMITS=$words VK_LAYER_PATH=$folder/layers:/usr/share/vulkan/explicit_layer.d ASAN_OPTIONS=detect_leaks=0
export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation:VK_LAYER_PUMICE_limits
# The layer's own complaint about what other layers it lies beside is none of ours.
complaint='Validation (Error|Warning|Performance)|VUID-'
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0
for program; do
    "$folder/$program" >"$out" 2>&1
    status=$?
    if [ $status = 77 ]; then
        tail -n 1 "$out"
        exit 77
    fi
    if [ $status != 0 ] || grep -Eq "$complaint" "$out"; then
        cat "$out"
        echo "failed: $program under $words (exit status $status)"
        failed=1
    else
        echo "passed: $program under $words"
    fi
done
exit $failed
