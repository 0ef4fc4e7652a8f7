#!/usr/bin/env bash
# The example of the README, as it stands there: at most 40 lines, compiles without warnings, and continues a story.
#   test_readme.sh README HEADER-FOLDER LIBRARY-FOLDER MODEL
set -eu
readme=$1 headers=$2 libraries=$3 model=$4
[ -e "$model" ] || {
    echo "skipped: $model is not there"
    exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n '/^```c$/,/^```$/p' "$readme" | sed '1d;$d' >"$folder/example.c"
lines=$(wc -l <"$folder/example.c")
[ "$lines" -gt 10 ] && [ "$lines" -le 40 ] || {
    echo "the README's example: expected 10 to 40 lines, got $lines"
    exit 1
}
"${CC:-cc}" -std=c17 -Wall -Wextra -Werror -I"$headers" "$folder/example.c" -L"$libraries" -lpumice -Wl,-rpath,"$libraries" -o "$folder/example"
got=$("$folder/example" "$model")
echo "$got"
case $got in "Once upon a time, there was a little girl named Lily."*) ;; *)
    echo "the README's example: expected the story of Lily"
    exit 1
    ;;
esac
