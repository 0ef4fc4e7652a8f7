# Shared by the tools: what a Debian 12 needs, and how it gets there. Sourced, not run.
# shellcheck shell=bash disable=SC2034

packages_build="build-essential cmake ninja-build pkg-config git ca-certificates libvulkan-dev libvulkan-volk-dev glslang-tools spirv-tools
  libpcre2-dev libjansson-dev libsdl2-dev libsdl2-ttf-dev libfontconfig-dev"
packages_run="libvulkan1 mesa-vulkan-drivers fonts-dejavu-core fonts-noto-cjk"
packages_model="ca-certificates curl unzip python3 python3-pip"
packages_test="libcmocka-dev clang libclang-rt-dev vulkan-validationlayers python3-venv xvfb xauth xdotool xclip openbox ibus ibus-hangul
  dbus-x11 imagemagick"

say() { printf 'pumice: %s\n' "$*" >&2; }
fail() {
    printf 'pumice: error: %s\n' "$*" >&2
    exit 1
}

# need_packages NAME…: installs what is missing, as root or through sudo. Asks dpkg alone when nothing is.
need_packages() {
    local there missing=() name as_root=()
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian: expected what these packages hold to be installed already: $*"
        return 0
    fi
    # It ends with 1 where one of them has never been there.
    there=" $({ dpkg-query -W -f '${db:Status-Status}:${Package}\n' "$@" 2>/dev/null || true; } | sed -n 's/^installed://p' | tr '\n' ' ')"
    for name in "$@"; do
        case "$there${missing[*]} " in *" $name "*) ;; *) missing+=("$name") ;; esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            fail "${#missing[@]} packages are missing, and neither root nor sudo is at hand: have an administrator run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -q </dev/null >&2 || say "the package lists could not all be renewed; going on with what is there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}" </dev/null >&2 ||
        fail "apt-get could not install them (see above): check the network, free space and /etc/apt, then run this again"
}

# build PRESET [TARGET…]: configures at first and when the presets changed, then builds what changed.
build() {
    local preset=$1 log=build/configure-$1.log
    shift
    mkdir -p build
    if [ ! -e "build/$preset/build.ninja" ] || [ ! "build/$preset/.configured" -nt CMakePresets.json ]; then
        say "configuring build/$preset"
        cmake --preset "$preset" </dev/null >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            fail "CMake could not configure build/$preset (the end of $log is above); if the checkout was moved or copied, remove build/ and run this again"
        }
        touch "build/$preset/.configured"
    fi
    say "building build/$preset"
    cmake --build "build/$preset" ${1:+--target "$@"} </dev/null >&2 ||
        fail "build/$preset could not be built (see above); if the checkout was moved or copied, or packages changed, remove build/$preset and run this again"
}
