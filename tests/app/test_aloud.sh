#!/usr/bin/env bash
# The window with --speak: sentences of an answer are spoken while it comes, Esc is silence, and a system that cannot speak is told of.
#   test_aloud.sh PROGRAM MODEL TESTS
# TESTS has two folders: speech, with a library that stands for speech-dispatcher's and writes down what it is asked, and no-speech.
set -u
program=$1 model=$2 tests=$3
. "$(dirname "$0")/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool xclip openbox
    [ -e "$model" ] || skip "$model is not there"
    "${program%-chat}" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run"
    HOME=$home XDG_CONFIG_HOME=$home/config XDG_DATA_HOME=$home/data XDG_RUNTIME_DIR=$home/run WAYLAND_DISPLAY='' SDL_VIDEODRIVER=x11 \
        DBUS_SESSION_BUS_ADDRESS=autolaunch: PUMICE_IN_XVFB=1 xvfb-run -a -s "-screen 0 1280x800x24" "$0" "$@"
    exit $?
fi

trap stop_all EXIT
export SPEECH_LOG=$HOME/speech
# A notice is no part of the chat: selected, and copied.
shows() {
    xdotool key F6 ctrl+a ctrl+c
    sleep 0.3
    timeout 3 xclip -o -selection clipboard 2>/dev/null | grep -qF -- "$1"
}
said() { [ "$(grep -c '^say ' "$SPEECH_LOG" 2>/dev/null)" -ge "$1" ]; }
cancels() { [ "$(grep -c '^cancel' "$SPEECH_LOG")" -gt "$1" ]; }
start() { # start LIBRARIES OPTION…
    LD_LIBRARY_PATH=$1 "$program" -m "$model" --ctx 512 "${@:2}" 2>>"$HOME/log" &
    window=$!
    pids+=("$window")
    eventually xdotool search --onlyvisible --name '^Pumice$' >/dev/null 2>&1
    xdotool search --onlyvisible --name '^Pumice$' windowactivate --sync 2>/dev/null
    sleep 2
}
end_window() {
    kill "$window"
    wait "$window"
}

start_window_manager
start "$tests/speech" --speak
xdotool type --delay 40 "Once upon a time"
xdotool key Return
check "sentences are spoken while the answer comes" eventually said 2
n=$(grep -c '^cancel' "$SPEECH_LOG")
xdotool key Escape
check "Esc is silence" eventually cancels "$n"
sleep 1
n=$(grep -c '^say ' "$SPEECH_LOG")
sleep 1
check "and stays so" [ "$(grep -c '^say ' "$SPEECH_LOG")" = "$n" ]
check "a sentence is spoken as it is shown" has "$(grep '^say ' "$SPEECH_LOG" | sed -n '2s/^say //p')"
check "each is said in some language" grep -q "^language [a-z][a-z]$" "$SPEECH_LOG"
[ $failures = 0 ] || cat -A "$SPEECH_LOG"
check "the window ends" end_window
check "and hangs up" [ "$(tail -n 1 "$SPEECH_LOG")" = close ]

rm -rf "$XDG_DATA_HOME"
start "$tests/no-speech" --speak
check "what is missing is said" eventually shows "speech-dispatcher is not installed"
end_window
rm "$SPEECH_LOG"
start "$tests/speech"
xdotool type --delay 40 "Once upon a time"
xdotool key Return
check "an answer comes" eventually has '**Pumice**'
sleep 3
check "without --speak nothing is spoken" test ! -e "$SPEECH_LOG"
end_window

mkdir -p "$XDG_CONFIG_HOME/pumice"
echo '{"speak": true}' >"$XDG_CONFIG_HOME/pumice/settings.json"
start "$tests/speech"
xdotool key ctrl+n
xdotool type --delay 40 "Once upon a time"
xdotool key Return
check "the settings' word is enough" eventually said 1
end_window
[ ! -s "$HOME/log" ] || cat "$HOME/log"
[ $failures = 0 ]
