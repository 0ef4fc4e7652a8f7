#!/usr/bin/env bash
# The first start, with real input on a virtual screen: no model is there, one is offered, a press fetches it although its first source is
# damaged and its second one breaks off, and a question gets an answer.
#   test_first_start.sh PROGRAM MODEL [FOLDER]
# MODEL is what a server of this test's own has in the place of the default model. FOLDER: where screenshots go, for a person to look at.
set -u
program=$1 model=$2 here=$(dirname "$(realpath "$0")")
. "$here/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool xclip openbox import python3
    [ -e "$model" ] || skip "$model is not there"
    "${program%-chat}" devices 2>/dev/null | grep -q '^\*' || skip "no Vulkan device"
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run"
    HOME=$home XDG_DATA_HOME=$home/data XDG_CONFIG_HOME=$home/config XDG_STATE_HOME=$home/state XDG_RUNTIME_DIR=$home/run WAYLAND_DISPLAY='' \
        SDL_VIDEODRIVER=x11 LC_ALL=C.UTF-8 PUMICE_IN_XVFB=1 xvfb-run -a -s "-screen 0 1280x800x24" "$0" "$@"
    exit $?
fi

trap stop_all EXIT
shots=${3:-$HOME}
shot() { import -window root "$shots/$1.png"; }
mkfifo "$HOME/hold"
python3 "$here/model_server.py" "$model" <"$HOME/hold" >"$HOME/server" &
pids+=($!)
exec 9>"$HOME/hold"
eventually test -s "$HOME/server"
read -r port bytes sha256 _ <"$HOME/server"
file=SmolLM2-135M-Instruct.Q4_1.gguf
cat >"$HOME/catalogue.json" <<END
{"models": [{"name": "The first model", "file": "$file", "bytes": $bytes, "sha256": "$sha256", "type": "F32", "licence": "MIT", "parameters": 260000,
  "sources": ["http://127.0.0.1:$port/corrupt/$file", "http://127.0.0.1:$port/cut/$file", "http://127.0.0.1:$port/slow/$file"]}]}
END
export PUMICE_CATALOGUE=$HOME/catalogue.json
start() {
    "$program" --ctx 256 2>>"$HOME/log" &
    window=$!
    pids+=("$window")
    eventually xdotool search --onlyvisible --name '^Pumice$' >/dev/null 2>&1
    xdotool search --onlyvisible --name '^Pumice$' windowactivate --sync 2>/dev/null
    sleep 2
}
is_whole() { [ "$(sha256sum <"$XDG_DATA_HOME/pumice/models/$file" 2>/dev/null | cut -d ' ' -f 1)" = "$sha256" ]; }
answered() { [ "$(chat_text | sed '1,/^\*\*Pumice/d' | wc -c)" -gt 20 ]; }

start_window_manager
start
shot first-start
# The button in front is the first one behind Close, for the keys; a person's eye finds it as soon.
xdotool key Tab Tab
sleep 0.3
shot first-start-keys
xdotool key Return
sleep 1
shot first-start-download
check "the model comes, whole, although its first source is damaged" eventually is_whole
sleep 1
xdotool type --delay 40 "Once upon a time"
xdotool key Return
check "and the first question gets an answer" eventually answered
sleep 1
shot first-answer
xdotool key Escape
xdotool key ctrl+m
sleep 1
shot models
xdotool key Escape
xdotool key ctrl+q
check "Ctrl+Q ends it" eventually sh -c "! kill -0 $window 2>/dev/null"
start
sleep 1
xdotool type --delay 40 "again"
xdotool key Return
check "the second start has the model" eventually has again
# A start that ends without an end while the device was opened: the next one is safe.
kill -KILL "$window"
wait "$window" 2>/dev/null
mkdir -p "$XDG_STATE_HOME/pumice"
printf 'A Bad Device\n' >"$XDG_STATE_HOME/pumice/device-in-use"
start
sleep 0.5
shot safe-mode
check "a start behind a crash is safe, and says so" eventually grep -q "^pumice: Safe mode: .*A Bad Device" "$HOME/log"
check "and the device stays out of use" eventually grep -q '"device": *"cpu"' "$XDG_CONFIG_HOME/pumice/settings.json"
xdotool type --delay 40 "in safe mode"
xdotool key Return
check "a question gets an answer there" eventually has "in safe mode"
xdotool key Escape
sleep 0.5
xdotool key ctrl+q
check "Ctrl+Q ends it again" eventually sh -c "! kill -0 $window 2>/dev/null"
cat "$HOME/log"
[ $failures = 0 ]
