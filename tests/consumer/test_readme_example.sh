#!/bin/sh
# test_readme_example.sh BUILD README MODEL TEXT: the program in the README, compiled as the README says against an installed BUILD, writes
# the beginning of TEXT with MODEL, and a sentence without it.
set -eu
build=$1
readme=$2
model=$3
text=$4
if [ ! -e "$model" ] || [ ! -e "$text" ]; then
    echo "skipped: $model is not there"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "failed: $*"
    exit 1
}

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$readme" >"$folder/example.c"
lines=$(wc -l <"$folder/example.c")
if [ "$lines" -lt 20 ] || [ "$lines" -gt 40 ]; then fail "expected an example of up to 40 lines in the README, got $lines"; fi
cmake --install "$build" --prefix "$folder/prefix" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "cmake --install"; }
export PKG_CONFIG_PATH="$folder/prefix/lib/pkgconfig" LD_LIBRARY_PATH="$folder/prefix/lib"
cd "$folder"
# shellcheck disable=SC2046 # flags
cc -std=c17 -Wall -Wextra -Werror -O2 -o example example.c $(pkg-config --cflags --libs pumice) || fail "the example does not compile"

if ./example "$folder/none.gguf" >none; then fail "no model: expected exit status 1"; fi
if grep -q 'expected a Vulkan device\|Vulkan loader' none; then
    echo "skipped: $(cat none)"
    exit 77
fi
grep -q none.gguf none || fail "no model: expected a sentence that names the file, got $(cat none)"

./example "$model" >got || fail "exit status $?, $(cat got)"
n=$(($(wc -c <got) - 1)) # without the last newline
[ $n -gt 60 ] || fail "expected 40 tokens of text, got: $(cat got)"
head -c $n "$text" >expected
printf '\n' >>expected
cmp got expected || fail "expected $(cat expected), got $(cat got)"
