#!/usr/bin/env bash
# The window with real input on a virtual screen: typing, the Hangul input method, sending, stopping, a new chat, a screenshot, idling.
#   test_window.sh PROGRAM MODEL
# What was said is read as a person would get it: Ctrl+Shift+C, then the clipboard.
set -u
program=$1 model=$2
. "$(dirname "$0")/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool xclip openbox import identify dbus-run-session ibus-daemon
    [ -e "$model" ] || skip "$model is not there"
    "${program%-chat}" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    # The input method keeps its settings and its socket below these.
    HOME=$home XDG_CONFIG_HOME=$home/config XDG_CACHE_HOME=$home/cache PUMICE_IN_XVFB=1 \
        xvfb-run -a -s "-screen 0 1280x800x24" dbus-run-session -- "$0" "$@"
    exit $?
fi

trap stop_all EXIT
answers() { [ "$(chat_text | grep -c '^\*\*Pumice\*\*')" = "$1" ]; }

start_window_manager
export XMODIFIERS=@im=ibus SDL_IM_MODULE=ibus GTK_IM_MODULE=ibus
ibus-daemon -x -r --panel disable >/dev/null 2>&1 &
pids+=($!)
has_hangul=no
if eventually ibus list-engine >/dev/null 2>&1 && ibus list-engine 2>/dev/null | grep -q hangul; then
    eventually ibus engine hangul >/dev/null 2>&1 && has_hangul=yes
fi

"$program" -m "$model" --ctx 256 2>"$HOME/log" &
window=$!
pids+=("$window")
check "the window opens" eventually xdotool search --name '^Pumice$'
xdotool search --name '^Pumice$' windowactivate --sync 2>/dev/null
sleep 2

xdotool type --delay 40 "Once upon a time"
xdotool key shift+Return
xdotool type --delay 40 "there was"
check "Shift+Enter does not send" lacks "there was"
xdotool key Return
check "Enter sends, with the line break" eventually has "there was"
check "an answer comes" eventually answers 1
sleep 1
import -window root "$HOME/shot.png"
check "the screenshot shows a window with text" [ "$(identify -format %k "$HOME/shot.png")" -gt 40 ]

# Stop: this model goes on until its context is full. What stops is quiet.
xdotool key Escape
sleep 3
before=$(awk '{print $14 + $15}' "/proc/$window/stat")
sleep 5
after=$(awk '{print $14 + $15}' "/proc/$window/stat")
# One tick is 10 ms: nothing at all should run in five seconds.
check "the idle window uses no CPU ($((after - before)) ticks in 5 s)" [ $((after - before)) -le 1 ]

xdotool key ctrl+n
sleep 0.5
check "Ctrl+N begins a new chat" lacks "there was"

if [ $has_hangul = yes ]; then
    xdotool key Hangul
    sleep 0.5
    xdotool type --delay 150 "gksrnr"
    sleep 0.5
    xdotool key Return
    sleep 1
    check "Enter in the middle of a composition does not send" lacks "한국"
    # A slow input method may still hold the syllables at the first Enter, and has the right to take it too.
    sent() { has "한국" || { xdotool key Return && sleep 1 && has "한국"; }; }
    check "the committed syllables are sent whole" eventually sent
    # Space with Shift is the input method's: it changes the language, and adds no space. What is typed while the keys are shown
    # goes nowhere. Escape leaves Hangul, too.
    xdotool key Escape
    sleep 1
    xdotool key Hangul
    sleep 0.5
    xdotool key shift+space shift+space F1
    sleep 0.5
    xdotool type --delay 150 "dk"
    xdotool key Escape Escape Hangul
    sleep 0.5
    xdotool type --delay 150 "gk"
    cut_is() { xdotool key ctrl+a ctrl+x && sleep 0.3 && [ "$(timeout 3 xclip -o -selection clipboard 2>/dev/null)" = "$1" ]; }
    check "Shift+Space adds nothing, and F1 is not lost" eventually cut_is "하"
    # To a window that was busy: Ctrl is lost like the other keys, and N is asked about before anybody could know that.
    kill -STOP "$window"
    xdotool key ctrl+n
    sleep 0.5
    kill -CONT "$window"
    sleep 1
    check "Ctrl+N with Hangul on, pressed while the window is busy" eventually lacks "한국"
else
    echo "skipped: ibus-hangul is not installed or does not start: typed Hangul"
fi

check "the window is still there" kill -0 "$window"
xdotool key ctrl+q
check "Ctrl+Q ends it" eventually sh -c "! kill -0 $window 2>/dev/null"
[ ! -s "$HOME/log" ] || cat "$HOME/log"
[ $failures = 0 ]
