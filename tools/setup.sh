# Shared by the tools: what a Debian 12 needs, and how it gets there. Sourced, not run.
# shellcheck shell=bash

packages_build="build-essential cmake ninja-build pkg-config git ca-certificates libvulkan-dev libvulkan-volk-dev glslang-tools spirv-tools
  libpcre2-dev libjansson-dev libsdl2-dev libsdl2-ttf-dev libfontconfig-dev"
packages_run="libvulkan1 mesa-vulkan-drivers fonts-dejavu-core fonts-noto-cjk curl unzip python3 python3-pip"
packages_test="libcmocka-dev clang libclang-rt-14-dev vulkan-validationlayers python3-venv xvfb xdotool xclip openbox ibus ibus-hangul
  dbus-x11 imagemagick"

say() { printf 'pumice: %s\n' "$*" >&2; }
fail() {
    printf 'pumice: error: %s\n' "$*" >&2
    exit 1
}

# need_packages NAME…: installs what is missing, as root or through sudo.
need_packages() {
    local missing=() name
    command -v dpkg-query >/dev/null || {
        say "this is no Debian: make sure that what these packages hold is installed: $*"
        return 0
    }
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing and neither root nor sudo is at hand: ask an administrator to run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    { "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}"; } \
        </dev/null >&2 || fail "apt-get could not install them (see above): check the network and /etc/apt/sources.list, then run this again"
}

# build PRESET [TARGET…]: configures once, then builds what changed.
build() {
    local preset=$1
    shift
    if [ ! -e "build/$preset/build.ninja" ]; then
        say "configuring build/$preset"
        cmake --preset "$preset" </dev/null >"build-$preset.log" 2>&1 || {
            tail -20 "build-$preset.log" >&2
            fail "CMake could not configure build/$preset (see above)"
        }
        rm -f "build-$preset.log"
    fi
    say "building build/$preset"
    cmake --build "build/$preset" ${1:+--target "$@"} </dev/null >&2 || fail "the build failed (see above)"
}
