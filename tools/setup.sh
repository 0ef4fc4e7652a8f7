# Shared by the tools: what a Debian 12 needs, and how it gets there. Sourced, not run.
# shellcheck shell=bash disable=SC2034

packages_build="build-essential cmake ninja-build pkg-config git ca-certificates libvulkan-dev libvulkan-volk-dev glslang-tools spirv-tools
  libpcre2-dev libjansson-dev libsqlite3-dev libcurl4-gnutls-dev nettle-dev libsdl2-dev libsdl2-ttf-dev libfontconfig-dev libmd4c-dev libfribidi-dev libutf8proc-dev libdbus-1-dev"
packages_run="libvulkan1 mesa-vulkan-drivers fonts-dejavu-core fonts-noto-cjk"
packages_model="ca-certificates curl unzip python3 python3-pip"
packages_test="libcmocka-dev fonts-noto-color-emoji xz-utils clang libclang-rt-dev vulkan-validationlayers python3-venv xvfb xauth x11-utils xdotool xclip openbox ibus ibus-hangul
  dbus-x11 imagemagick dpkg-dev fakeroot file desktop-file-utils appstream shared-mime-info librsvg2-bin man-db groff zsh fish
  qemu-user-static gcc-aarch64-linux-gnu"
packages_windows="gcc-mingw-w64-x86-64-posix dpkg-dev wine64 xvfb xauth"

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

# debian_packages RELEASE FOLDER NAME…: packages of another Debian release than this system's, unpacked into FOLDER and not installed. From the
# archive that this system itself is from, by the same key; what apt keeps of its own is left alone.
debian_packages() {
    local release=$1 folder=$2 archive apt=()
    shift 2
    # The second where apt has no lists, and so knows nobody by name.
    # shellcheck disable=SC2016 # expanded by apt
    archive=$(
        apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian main //p'
        apt-get update --print-uris | sed -n "s,^'\([^']*/debian\)/*dists/.*,\1,p"
    ) || return 1
    archive=${archive%%$'\n'*}
    [ -n "$archive" ] || {
        echo "expected a Debian archive in /etc/apt, got none"
        return 1
    }
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" || return 1
    apt=(-q -o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Status=/dev/null
        -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt" -o Acquire::Languages=none
        -o Acquire::Check-Valid-Until=false -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o APT::Sandbox::User=root)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $release main" >"$folder/apt/sources.list"
    apt-get "${apt[@]}" update && (cd "$folder/apt/archives" && apt-get "${apt[@]}" download "$@") || return 1
    for archive in "$folder"/apt/archives/*.deb; do dpkg-deb -x "$archive" "$folder" || return 1; done
    rm -rf "$folder/apt"
}

# shader_tools: a newer shader compiler than Debian 12's into build/shader-tools, where CMake finds it: the next release's, with the
# libraries that it is for. Without it the build leaves out the kernels that need it, and says so.
shader_tools() {
    local release=trixie folder=$PWD/build/shader-tools log=build/shader-tools.log name libraries
    [ "$(cat "$folder/.ready" 2>/dev/null)" != $release ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder/bin"
    say "getting a newer shader compiler into build/shader-tools"
    debian_packages $release "$folder/$release" glslang-tools spirv-tools libc6 libgcc-s1 libstdc++6 </dev/null >$log 2>&1 || {
        say "it could not be had (see $log): going on with this system's, without the kernels that it does not know"
        return 0
    }
    libraries=$(cd "$folder/$release" && echo usr/lib/*-linux-gnu*)
    rm -rf "${folder:?}/$release/usr/share" "${folder:?}/$release/$libraries/gconv"
    for name in glslangValidator spirv-val; do
        # shellcheck disable=SC2016 # expanded by the program
        printf '#!/bin/sh\nlibraries=${0%%/*}/../%s/%s\nexec "$libraries"/ld-linux*.so.* --library-path "$libraries" "${0%%/*}/../%s/usr/bin/%s" "$@"\n' \
            $release "$libraries" $release $name >"$folder/bin/$name"
        chmod +x "$folder/bin/$name"
        "$folder/bin/$name" --version >>$log 2>&1 || {
            say "$name of Debian $release does not run here (see $log): going on with this system's"
            rm -rf "${folder:?}/bin"
            return 0
        }
    done
    echo $release >"$folder/.ready"
}

# swiftshader: a CPU driver of another maker, as Chromium's package carries it, unpacked into build/swiftshader and not installed. Prints its
# ICD file.
swiftshader() {
    local folder=$PWD/build/swiftshader
    if ! grep -qs "\"$folder/libvk_swiftshader.so\"" "$folder/icd.json"; then
        say "getting SwiftShader from the Debian package chromium-common"
        rm -rf "$folder"
        mkdir -p "$folder"
        (cd "$folder" && apt-get download -q chromium-common && dpkg -x chromium-common_*.deb .) </dev/null >&2 || return 1
        mv "$folder/usr/lib/chromium/libvk_swiftshader.so" "$folder/" || return 1
        sed "s,\"library_path\": *\"[^\"]*\",\"library_path\": \"$folder/libvk_swiftshader.so\"," \
            "$folder/usr/lib/chromium/vk_swiftshader_icd.json" >"$folder/icd.json" || return 1
        (cd "$folder" && rm -rf usr etc ./*.deb)
    fi
    echo "$folder/icd.json"
}

# backports_lavapipe: lavapipe of Debian 12's backports, unpacked into build/backports, with an icd.json there. Prints that folder.
backports_lavapipe() {
    local folder=$PWD/build/backports library=usr/lib/x86_64-linux-gnu/libvulkan_lvp.so
    if ! grep -qs "\"$folder/$library\"" "$folder/icd.json"; then
        say "getting lavapipe of Debian 12's backports"
        rm -rf "$folder"
        debian_packages bookworm-backports "$folder" mesa-vulkan-drivers mesa-libgallium </dev/null >&2 || return 1
        sed "s,\"library_path\": *\"[^\"]*\",\"library_path\": \"$folder/$library\"," \
            "$folder"/usr/share/vulkan/icd.d/lvp_icd*.json >"$folder/icd.json" || return 1
    fi
    echo "$folder"
}

# newest_libraries BUILD: what tests of a build bring along to Debian sid, whose cmocka has the same name and other functions. Prints the folder.
newest_libraries() {
    mkdir -p build/newest
    cp "$(ldd "$1/bin/tests/test_matmul" | sed -n 's/.*libcmocka.* => \(.*\) (.*/\1/p')" build/newest/ || return 1
    echo "$PWD/build/newest"
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
