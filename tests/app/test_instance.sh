#!/usr/bin/env bash
# One running window: a second start hands its file to the first, which rises and loads it; a killed one stands in nobody's way.
#   test_instance.sh PROGRAM MODEL
set -u
program=$1 model=$2
. "$(dirname "$0")/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool openbox
    [ -e "$model" ] || skip "$model is not there"
    "${program%-chat}" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run"
    # Not `env -u`: a person's own Wayland must not be what is looked at.
    HOME=$home XDG_CONFIG_HOME=$home/config XDG_RUNTIME_DIR=$home/run WAYLAND_DISPLAY='' SDL_VIDEODRIVER=x11 PUMICE_IN_XVFB=1 \
        xvfb-run -a -s "-screen 0 1280x800x24" "$0" "$@"
    exit $?
fi

trap stop_all EXIT
windows() { [ "$(xdotool search --onlyvisible --name '^Pumice$' 2>/dev/null | wc -l)" = "$1" ]; }
# The window keeps its model's file open.
has_open() { find "/proc/$2/fd" -lname "*/$1" 2>/dev/null | grep -q .; }
listens() { [ -S "$XDG_RUNTIME_DIR/pumice-chat-$DISPLAY.sock" ]; }
active() { [ "$(xdotool getactivewindow 2>/dev/null)" = "$1" ]; }

start_window_manager
mkdir -p "$HOME/models"
cp "$model" "$HOME/models/first.gguf"
cp "$model" "$HOME/models/second one.gguf"
cd "$HOME/models" || exit 1

"$program" first.gguf --ctx 128 2>"$HOME/log" &
first=$!
pids+=("$first")
check "a bare FILE opens a window" eventually windows 1
check "and loads that file" eventually has_open first.gguf $first
check "it listens" eventually listens

# Something else takes the front, so that rising can be seen.
one=$(xdotool search --onlyvisible --name '^Pumice$' | head -n 1)
xdotool windowminimize "$one"
check "the window is out of the way" eventually windows 0
check "a second start ends at once, with 0" timeout 10 "$program" "second one.gguf"
check "the first window takes its file, relative to where the second was started" eventually has_open "second one.gguf" $first
check "and is seen again" eventually windows 1
check "and is the active one" eventually active "$one"
check "a start without a file ends too" timeout 10 "$program"
check "and opens no second window" windows 1

# What is not a message does no harm.
if command -v python3 >/dev/null; then
    python3 - "$XDG_RUNTIME_DIR/pumice-chat-$DISPLAY.sock" <<'EOF'
import socket, sys
for data in (b"", b"relative.gguf\0", b"/" + b"x" * 9000, b"/cut"):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(data)
    except BrokenPipeError:
        pass
    s.close()
EOF
fi
check "after nonsense on the socket it still takes a start" timeout 10 "$program"

kill -KILL "$first"
wait "$first" 2>/dev/null
"$program" first.gguf --ctx 128 2>>"$HOME/log" &
next=$!
pids+=("$next")
check "after kill -9 a start opens a window" eventually windows 1
check "which listens" eventually listens
check "and takes the files of others" timeout 10 "$program" "second one.gguf"
check "indeed" eventually has_open "second one.gguf" $next
eventually active "$(xdotool search --onlyvisible --name '^Pumice$' | head -n 1)"
xdotool key ctrl+q
check "it ends" eventually sh -c "! kill -0 $next 2>/dev/null"
check "and leaves no socket" test ! -e "$XDG_RUNTIME_DIR/pumice-chat-$DISPLAY.sock"
[ ! -s "$HOME/log" ] || cat "$HOME/log"
[ $failures = 0 ]
