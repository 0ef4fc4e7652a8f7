#!/usr/bin/env bash
# The chats of the window with real input on a virtual screen: kept through kill -9, branches, drafts, searching, renaming, deleting and having back.
#   test_chats.sh PROGRAM MODEL [FOLDER]
# FOLDER: where screenshots go, for a person to look at.
set -u
program=$1 model=$2
. "$(dirname "$0")/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool xclip openbox import
    [ -e "$model" ] || skip "$model is not there"
    "${program%-chat}" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run"
    HOME=$home XDG_DATA_HOME=$home/data XDG_CONFIG_HOME=$home/config XDG_RUNTIME_DIR=$home/run WAYLAND_DISPLAY='' SDL_VIDEODRIVER=x11 PUMICE_IN_XVFB=1 \
        xvfb-run -a -s "-screen 0 1280x800x24" "$0" "$@"
    exit $?
fi

trap stop_all EXIT
shots=${3:-$HOME}
answered() { [ "$(chat_text | sed '1,/^\*\*Pumice/d' | wc -c)" -gt 20 ]; }
shot() { import -window root "$shots/$1.png"; }
start() {
    "$program" -m "$model" --ctx 512 2>>"$HOME/log" &
    window=$!
    pids+=("$window")
    eventually xdotool search --onlyvisible --name '^Pumice$' >/dev/null 2>&1
    xdotool search --onlyvisible --name '^Pumice$' windowactivate --sync 2>/dev/null
    sleep 2
}

start_window_manager
start
xdotool type --delay 40 "Once upon a time"
xdotool key Return
check "an answer comes" eventually answered
xdotool type --delay 40 "unsent words"
sleep 1.5
kill -KILL "$window"
wait "$window" 2>/dev/null
start
check "after kill -9 the question is there" eventually has "Once upon a time"
check "and what was shown of the answer" answered
taken() { xdotool key ctrl+a ctrl+x && sleep 0.3 && timeout 3 xclip -selection clipboard -o 2>/dev/null | grep -q "unsent words"; }
check "and what was being written" eventually taken
first=$(chat_text | md5sum)
is_first() { [ "$(chat_text | md5sum)" = "$first" ]; }
is_not_first() { ! is_first; }

xdotool key ctrl+r
sleep 2
xdotool key Escape
sleep 1
check "Ctrl+R answers again" eventually is_not_first
walks_back() { xdotool key alt+Left && sleep 0.3 && is_first; } # not before the answer has stopped
check "Alt+Left walks back to the first answer" eventually walks_back
xdotool key alt+Right
check "Alt+Right to the second" eventually is_not_first

# The last question, edited, is a branch of its own.
xdotool key ctrl+e
sleep 0.3
xdotool key ctrl+a
xdotool type --delay 40 "There lived"
sleep 1.5
kill -KILL "$window"
wait "$window" 2>/dev/null
start
xdotool type --delay 40 " a cat"
xdotool key Return sleep 0.2 key Escape # before the answer ends by itself, which takes a fast machine half a second
check "Ctrl+E edits the question, through another kill -9" eventually has "There lived a cat"
sleep 1
is_asked() { chat_text | grep -qx "Once upon a time"; } # a line of its own: the model likes to begin so, too
check "in its place" eval "! is_asked"
short=$(chat_text | wc -c)
xdotool key ctrl+Return
longer() { [ "$(chat_text | wc -c)" -gt "$short" ]; }
sleep 1
xdotool key Escape
check "Ctrl+Enter goes on with the answer" eventually longer
shot branches
xdotool key alt+Left
is_short() { [ "$(chat_text | wc -c)" = "$short" ]; }
check "and what there was is the branch before" eventually is_short
xdotool key alt+Left alt+Left
sleep 0.5
check "which leads no further" is_short

# The sheet of the chat: what the model is told, kept.
xdotool key ctrl+i
sleep 0.5
xdotool key Tab Tab
xdotool type --delay 40 "You are a cat"
xdotool key Tab
xdotool type --delay 40 "0.5"
sleep 0.3
shot sheet
xdotool key Escape
if command -v python3 >/dev/null; then
    told() { python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT system, temp FROM chats WHERE system IS NOT NULL").fetchall())' "$XDG_DATA_HOME/pumice/chats.db"; }
    check "the sheet of the chat sets its system prompt: $(told)" eventually eval 'told | grep -q "You are a cat"'
    check "and its temperature" eval 'told | grep -q "0.5"'
fi
xdotool key F1
sleep 0.5
shot keys
xdotool key Escape

xdotool type --delay 40 "half a thought"
xdotool key ctrl+n
check "Ctrl+N begins a new chat" eventually lacks "There lived"
xdotool type --delay 40 "There was a zeppelin"
xdotool key Return
check "which has its own turns" eventually has "zeppelin"
eventually answered
xdotool key Escape
sleep 1
shot chats
xdotool key ctrl+Next
check "Ctrl+Page Down opens the other chat" eventually has "There lived"
sleep 0.5
xdotool key Return
check "whose draft was kept" eventually has "half a thought"
xdotool key Escape
sleep 1

xdotool key ctrl+k
xdotool type --delay 60 "eppel"
sleep 0.5
shot search
xdotool key Return
check "searching finds a part of a word, and Enter opens it" eventually has "zeppelin"
xdotool key ctrl+k
xdotool key Escape
xdotool key F2
xdotool key ctrl+a
xdotool type --delay 60 "Airships"
xdotool key Return
xdotool key ctrl+shift+p
sleep 0.5
shot renamed
xdotool key ctrl+shift+Delete
check "Ctrl+Shift+Delete deletes it" eventually lacks "zeppelin"
sleep 0.3
shot deleted
xdotool key ctrl+z
check "Ctrl+Z has it back" eventually has "zeppelin"
xdotool key ctrl+q
check "Ctrl+Q ends it" eventually sh -c "! kill -0 $window 2>/dev/null"
if command -v python3 >/dev/null; then
    title() { python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT title, pinned FROM chats WHERE named").fetchall())' "$XDG_DATA_HOME/pumice/chats.db"; }
    check "it was renamed and pinned: $(title)" [ "$(title)" = "[('Airships', 1)]" ]
fi
start
check "the chat that was open is open again" eventually has "zeppelin"
xdotool search --onlyvisible --name '^Pumice$' windowsize 420 700
sleep 1
shot narrow
xdotool mousemove --window "$(xdotool search --onlyvisible --name '^Pumice$' | head -n 1)" 40 20 click 1
sleep 0.5
shot narrow-unfolded
xdotool key ctrl+q
eventually sh -c "! kill -0 $window 2>/dev/null"
[ ! -s "$HOME/log" ] || cat "$HOME/log"
[ $failures = 0 ]
