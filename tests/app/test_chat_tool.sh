#!/bin/sh
# test_chat_tool.sh ROOT: the command of the README, the second time: quick at the prompt, a pipe is read line by line.
set -eu
root=$1
case ${XDG_DATA_HOME:-} in /*) data=$XDG_DATA_HOME ;; *) data=$HOME/.local/share ;; esac
skip() {
    echo "skipped: $*"
    exit 77
}
fail() {
    echo "failed: $*"
    sed 's/^/    /' "$folder/err"
    exit 1
}
[ -x "$root/build/release/bin/pumice" ] || skip "build/release is not there; tools/test builds it"
[ -e "$data/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf" ] || skip "the default model is not there; tools/model gets it"
"$root/build/release/bin/pumice" devices | grep -q . || skip "there is no Vulkan device"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset DISPLAY WAYLAND_DISPLAY
cd "$folder"

# Whatever is new is built here, and the driver's cache filled; the answer is not empty, and stdout holds nothing else.
printf 'Say hello.\nAnd again.\n' | "$root/tools/chat" --temp 0 -n 12 >out 2>err || fail "a pipe: exit status $?"
[ "$(grep -c . out)" -ge 2 ] || fail "expected two answers, got: $(cat out)"
if grep -q '^pumice: ' out; then fail "notices belong on standard error, got: $(cat out)"; fi
# --terminal holds where there is a display too.
echo 'Say hello.' | DISPLAY=:999 "$root/tools/chat" --terminal --temp 0 -n 3 >out 2>err || fail "--terminal: exit status $?"
[ -s out ] || fail "--terminal: expected an answer"

# To the prompt and, as there is nothing to read, to the end. The machine may be busy: the best of five counts.
best=1000000
for try in 1 2 3 4 5; do
    start=$(date +%s%N)
    "$root/tools/chat" --terminal </dev/null >out 2>err || fail "the end of input at once: exit status $?"
    ms=$((($(date +%s%N) - start) / 1000000))
    [ $ms -ge $best ] || best=$ms
    [ $best -gt 3000 ] || break
done
[ $best -le 3000 ] || fail "expected the prompt within 3000 ms, got $best ms at best in $try tries"
echo "at the prompt after $best ms"
