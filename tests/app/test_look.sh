#!/usr/bin/env bash
# The window's colours follow the desktop's wish, at the start and while it runs, unless the person has chosen.
#   test_look.sh PROGRAM STAND_IN
# STAND_IN is the portal on a bus of this test's own; a pixel of the window is what is looked at.
set -u
program=$1 stand_in=$2
. "$(dirname "$0")/checks.sh"

if [ -z "${PUMICE_IN_XVFB:-}" ]; then
    need_tools xvfb-run xdotool openbox import dbus-run-session xprop
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run"
    # A bus on which nobody is started, so that the system's own portal stays out.
    cat >"$home/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=$home/run/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
    HOME=$home XDG_CONFIG_HOME=$home/config XDG_DATA_HOME=$home/data XDG_RUNTIME_DIR=$home/run WAYLAND_DISPLAY='' SDL_VIDEODRIVER=x11 PUMICE_IN_XVFB=1 \
        xvfb-run -a -s "-screen 0 1280x800x24" dbus-run-session --config-file="$home/bus.conf" -- "$0" "$@"
    exit $?
fi

trap stop_all EXIT
light=FAFAF8 dark=1B1D20 contrast=000000
# What the transcript stands on: the commonest colour there.
ground() {
    xdotool search --onlyvisible --name '^Pumice$' >/dev/null 2>&1 &&
        import -window "$(xdotool search --onlyvisible --name '^Pumice$' | head -n 1)" -crop 200x200+500+250 +repage -depth 8 -format %c histogram:info:- 2>/dev/null |
        sort -rn | head -n 1 | sed 's/.*#\([0-9A-F]*\).*/\1/'
}
is() { [ "$(ground)" = "$1" ]; }
stays() { sleep 1 && is "$1"; }
# The model is not there: what the window looks like is all that matters.
start() {
    "$program" -m /nonexistent.gguf "$@" 2>>"$HOME/log" &
    window=$!
    pids+=("$window")
}
end_window() {
    kill "$window"
    wait "$window"
    local status=$?
    [ $status = 0 ] || [ $status = 143 ]
}
start_portal() {
    coproc portal { exec "$stand_in" "$@"; }
    pids+=("$portal_PID")
    read -r _ <&"${portal[0]}"
}
end_portal() {
    kill "$portal_PID"
    wait "$portal_PID" 2>/dev/null
}
change() { echo "$*" >&"${portal[1]}"; }

start_window_manager
start
check "without a portal it is light" eventually is $light
check "and stays so" stays $light
check "it ends" end_window

start_portal color-scheme 1 contrast 0
start
check "it begins as the desktop is: dark" eventually is $dark
change color-scheme 2
check "it turns light with the desktop" eventually is $light
change contrast 1
check "and takes on high contrast" eventually is $contrast
change contrast 0
check "and leaves it" eventually is $light
change nonsense
check "what is no setting of looks changes nothing" stays $light
change color-scheme 1
check "and it still listens" eventually is $dark
change color-scheme 0
check "no wish is light" eventually is $light
change color-scheme 7
check "an unknown wish too" stays $light
sleep 2
before=$(awk '{print $14 + $15}' "/proc/$window/stat")
sleep 3
after=$(awk '{print $14 + $15}' "/proc/$window/stat")
check "listening costs nothing ($((after - before)) ticks in 3 s)" [ $((after - before)) -le 1 ]
check "it ends while it listens" end_window

change color-scheme 1
start --theme light
check "--theme light is light on a dark desktop" eventually is $light
check "and stays so" stays $light
end_window
start --theme contrast
check "--theme contrast" eventually is $contrast
change color-scheme 2
check "stays so" stays $contrast
end_window
start
check "the desktop's again" eventually is $light
end_portal
check "a portal that is gone changes nothing" stays $light
start_portal -1 color-scheme 1
change color-scheme 1
check "a portal that comes later is heard" eventually is $dark
end_window
start
check "one that knows ReadOne alone is understood" eventually is $dark
end_window

DBUS_SESSION_BUS_ADDRESS='' start
check "a bus that is named nowhere is found where it always is" eventually is $dark
end_window
for bus in "unix:path=$HOME/none" nonsense autolaunch:; do
    DBUS_SESSION_BUS_ADDRESS=$bus start
    check "it is light with the bus \"$bus\"" eventually is $light
    end_window
done
# Letters of 120 dots per inch: all is a quarter larger.
width_is() { xdotool getwindowgeometry "$(xdotool search --onlyvisible --name '^Pumice$' | head -n 1)" 2>/dev/null | grep -q "Geometry: $1x"; }
start
check "a window without a wish for its size" eventually width_is 900
end_window
xprop -root -f RESOURCE_MANAGER 8s -set RESOURCE_MANAGER "Xft.dpi:	120"
start
check "the desktop's size of letters is followed" eventually width_is 1125
end_window
xprop -root -f RESOURCE_MANAGER 8s -set RESOURCE_MANAGER "Xft.dpi:	nan"
start
check "one that is no number is not" eventually width_is 900
end_window
[ ! -s "$HOME/log" ] || cat "$HOME/log"
[ $failures = 0 ]
