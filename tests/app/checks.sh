# What the tests written for bash share; to be sourced.
# Of tests that go on: `failures` counts, and is what they should look at in the end.
failures=0
pids=()
skip() {
    echo "skipped: $*"
    exit 77
}
need_tools() {
    local tool
    for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}
check() { # check WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else
        echo "FAILED: $what"
        failures=$((failures + 1))
    fi
}
# Waits up to a minute for a command to succeed.
eventually() {
    for _ in $(seq 300); do
        "$@" && return 0
        sleep 0.2
    done
    return 1
}
stop_all() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done; }
start_window_manager() {
    openbox >/dev/null 2>&1 &
    pids+=($!)
    # A window that is mapped while it starts may wait for it in vain.
    eventually xdotool get_num_desktops >/dev/null 2>&1
}
# The chat that the window shows, as a person gets it out of there.
chat_text() {
    xdotool key ctrl+shift+c
    sleep 0.3
    timeout 3 xclip -o -selection clipboard 2>/dev/null
}
has() { chat_text | grep -qF -- "$1"; }
lacks() { ! has "$1"; }

# What tests of a tool share that end with their first failure.

# Makes $folder, which goes with the test.
make_folder() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
}
# Ends the test, with what the last command has said into $folder/out.
fail() {
    echo "failed: $*"
    [ ! -e "$folder/out" ] || sed 's/^/    /' "$folder/out"
    exit 1
}
expect() { grep -qF -- "$1" "$folder/out" || fail "${2:-expected: $1}"; }
# refuses SENTENCE ARGUMENT…: $tool fails with a sentence.
refuses() {
    local sentence=$1
    shift
    if "$tool" "$@" >"$folder/out" 2>&1; then fail "$*: expected an error"; fi
    expect "pumice: error: $sentence" "$*: expected: $sentence"
}
