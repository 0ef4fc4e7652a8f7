#!/usr/bin/env bash
# The build for Windows: made, looked at, and run in Wine on the Vulkan driver of this machine.
#   test_windows.sh ROOT DATA NATIVE
# NATIVE: this machine's pumice, which the other one must agree with.
set -u
root=$1 data=$2 native=$3
. "$(dirname "$0")/checks.sh"

need_tools x86_64-w64-mingw32-gcc-posix xvfb-run
[ -e "$root/build/windows-libraries/.ready" ] || skip "build/windows-libraries is not there; tools/windows setup makes it"
scratch=$(mktemp -d)
export WINEPREFIX=$root/build/wine
trap 'rm -rf "$scratch"; stop_all' EXIT

"$root/tools/windows" >"$scratch/log" 2>&1 || {
    tail -n 40 "$scratch/log"
    echo "FAILED: tools/windows builds"
    exit 1
}
bin=$root/build/windows/bin
strangers() { x86_64-w64-mingw32-objdump -p "$bin/pumice.exe" "$bin/libpumice.dll" | sed -n 's/.*DLL Name: //p' | sort -u | grep -vixE 'kernel32.dll|msvcrt.dll|shell32.dll|libpumice.dll'; }
check "nothing but Windows' own libraries is needed: $(strangers | xargs)" test -z "$(strangers)"
exported() { x86_64-w64-mingw32-nm "$root/build/windows/lib/libpumice.dll.a" | sed -n 's/.* T //p' | sort -u; }
declared() { grep -A 2 '^PUM_API' "$root/runtime/pumice.h" | grep -o 'pum_[a-z_0-9]*(' | tr -d '(' | sort -u; }
check "the library exports what pumice.h declares, and nothing else: $(comm -3 <(exported) <(declared) | xargs)" cmp -s <(exported) <(declared)
[ $failures = 0 ] || exit 1
[ -x /usr/lib/wine/wine64 ] || command -v wine64 >/dev/null || skip "built and not run: wine64 is not installed; tools/windows setup gets it"

# One screen for all of it: Vulkan in Wine wants one.
Xvfb -displayfd 3 -nolisten tcp -screen 0 640x480x24 3>"$scratch/display" >/dev/null 2>&1 &
pids+=($!)
eventually test -s "$scratch/display" || skip "built and not run: Xvfb gives no display"
DISPLAY=:$(cat "$scratch/display")
export DISPLAY
# The driver is this machine's, and would take the folders of Windows for names of its own. It has compiled these kernels before.
export MESA_SHADER_CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}
unset XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_STATE_HOME
own=$WINEPREFIX/drive_c/users/$(id -un)/AppData/Local/pumice
rm -rf "$own"
pumice() { timeout 400 "$root/tools/windows" run "$bin/pumice.exe" "$@" 2>"$scratch/err"; }
said() { grep -qF -- "$1" "$scratch/err"; }
same() { cmp "$1" "$2"; }

pumice --version >"$scratch/version"
check "it says its version: $(cat "$scratch/version")" same "$scratch/version" <("$native" --version)
pumice devices --json >"$scratch/devices"
if ! grep -q '"used": true' "$scratch/devices"; then
    cat "$scratch/err"
    [ $failures = 0 ] || exit 1
    skip "built and not run: Wine finds no Vulkan device here"
fi
driver() { grep -oE '"(name|driver|driver_version|uuid)": "[^"]*"' | sort -u; }
check "it finds this machine's device" same <(driver <"$scratch/devices") <("$native" devices --json | driver)

mkdir "$scratch/가 나"
cp "$data/models/stories260K/stories260K-f32.gguf" "$scratch/가 나/모델.gguf" || skip "the test data has no stories260K"
cd "$scratch" || exit 1
model="가 나/모델.gguf"
pumice run -m "$model" -p "" -n 200 --temp 0 >out
check "200 tokens are those that are expected" same out "$data/models/stories260K/expected_greedy_n200.txt"
check "the kernels were timed" said "checking and timing"
check "what was learnt is kept below LOCALAPPDATA: $(ls "$own/cache" 2>&1 | xargs)" ls "$own"/cache/kernels-* "$own"/cache/pipelines-*
check "nothing half-written is left" test -z "$(find "$own" -name '*.part')"
pumice run -m "$model" -p "한글 x" -n 1 --temp 0 --echo >out
check "an argument is UTF-8: $(head -c 20 out)" grep -q '^한글 x' out
check "what was kept is read again" test -z "$(grep timing err)"
XDG_CACHE_HOME='Z:'$scratch/캐시 pumice run -m "$model" -p x -n 1 --temp 0 >out
check "XDG_CACHE_HOME goes before" ls 캐시/pumice/kernels-*

printf '안녕 세계\r\nx\032y\n\n' >text
pumice tokenize --no-bos -m "$model" <text >ids
pumice detokenize -m "$model" <ids >out
check "any bytes come through the streams" same text out
check "ids are those of this machine's program" same ids <("$native" tokenize --no-bos -m "$model" <text)
pumice logits --no-tune -m "$model" --tokens ids -o 로짓.f32
"$native" logits --no-tune -m "$model" --tokens ids -o expected.f32 2>/dev/null
check "logits are those of this machine's program" same 로짓.f32 expected.f32

pumice bench --no-tune -m "$model" -p 32 -n 8 -r 1 --json >out
check "bench measures: $(grep -m 1 decode_tokens_per_s out)" grep -q '"decode_tokens_per_s": [0-9.]*[1-9]' out
pumice doctor --compile --type F32 --json >out
check "every kernel compiles" grep -q '"verdict": "ok"' out

# The process for checks: one that is killed is followed by another; killing the program ends it too.
checker() { pgrep -f "$(basename "$root").build.windows.bin.pumice-check.exe"; }
no_checker() { ! checker >/dev/null; }
pumice doctor --type F32 --json >out &
pids+=($!)
check "kernels are checked in a process of their own" eventually checker
sleep 5 # it opens the device
kill -9 "$(checker | head -n 1)"
wait $!
check "doctor finds every kernel right, though one process for checks was killed" grep -q '"verdict": "ok"' out
pumice doctor --type F32 --json >out &
pids+=($!)
eventually checker >/dev/null
kill -9 "$(pgrep -f "^$bin/pumice.exe doctor")"
check "with the program its process for checks ends" eventually no_checker

x86_64-w64-mingw32-gcc-posix -std=gnu17 -O1 -Wall -Wextra -Werror -D_WIN32_WINNT=0x0A00 -I"$root/runtime" "$root/tests/app/child_windows.c" \
    "$root/build/windows/lib/libpumice_core.a" -o "$scratch/child_windows.exe"
timeout 100 "$root/tools/windows" run "$scratch/child_windows.exe" >out 2>err
given_up=$?
check "a child that does not read is given up after 10 s: $(head -n 1 out)" [ $given_up = 0 ]

refused() { # refused WORDS ARGUMENT …: status 1, and a sentence with these words
    local words=$1 status
    shift
    pumice "$@" >out
    status=$?
    check "pumice $*: $(head -n 1 err)" [ $status = 1 ]
    check "… is the right sentence" said "pumice: error: $words"
}
refused "가 나/없다.gguf: cannot be opened: " info "가 나/없다.gguf"
refused "가 나: expected a regular file, got a folder" info "가 나"
: >빈.gguf
refused "빈.gguf: the file is empty" info 빈.gguf
refused "없다.txt: cannot be read: " run -m "$model" -f 없다.txt

/usr/lib/wine/wineserver -k 2>/dev/null
[ $failures = 0 ]
