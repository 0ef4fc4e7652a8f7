#!/bin/sh
# test_greedy_text.sh FOLDER PROGRAM…: `pumice run` continues nothing with the text that the model is known to make.
set -eu
folder=$1
shift
[ -e "$folder/expected_greedy_n200.txt" ] || {
    echo "skipped: $folder is not there"
    exit 77
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$@" run -m "$folder/stories260K-f32.gguf" -p '' --temp 0 -n 200 --no-tune >"$out"
cmp "$out" "$folder/expected_greedy_n200.txt" || {
    cat "$out"
    echo "failed: expected the text of $folder/expected_greedy_n200.txt"
    exit 1
}
echo "200 tokens are as expected"
