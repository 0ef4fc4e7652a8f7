#!/bin/sh
# test_install.sh BUILD PROJECT MODEL: installs BUILD into a folder of its own, looks at what is there, then builds PROJECT against it with
# pkg-config and with CMake's find_package, and runs both.
set -eu
build=$1
project=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "failed: $*"
    exit 1
}

cmake --install "$build" --prefix "$folder/first" >"$folder/log" || { cat "$folder/log"; fail "cmake --install"; }
# What was installed may be moved.
mv "$folder/first" "$folder/moved"
prefix=$folder/moved
for file in bin/pumice lib/libpumice.so.0 include/pumice.h lib/pkgconfig/pumice.pc lib/cmake/pumice/pumiceConfig.cmake \
    lib/cmake/pumice/pumiceConfigVersion.cmake share/doc/pumice/LICENSE libexec/pumice/pumice-check; do
    [ -e "$prefix/$file" ] || fail "expected $file to be installed, got: $(cd "$prefix" && find . -type f | tr '\n' ' ')"
done
[ ! -e "$build/bin/pumice-chat" ] || [ -e "$prefix/bin/pumice-chat" ] || fail "expected bin/pumice-chat to be installed"
# From here on a path of the build folder in an installed file is a mistake.
if grep -rIl -e "$build" -e "$folder/first" "$prefix"; then fail "the files above name the folder they were built in"; fi

soname=$(readelf -d "$prefix/lib/libpumice.so.0" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
[ "$soname" = libpumice.so.0 ] || fail "soname: expected libpumice.so.0, got $soname"
others=$(nm -D --defined-only "$prefix/lib/libpumice.so.0" | awk '$3 !~ /^pum_/ { print $3 }')
[ -z "$others" ] || fail "expected only pum_* to be exported, got also: $(echo "$others" | tr '\n' ' ')"
grep -o 'pum_[a-z_]*(' "$prefix/include/pumice.h" | tr -d '(' | sort -u >"$folder/named"
nm -D --defined-only "$prefix/lib/libpumice.so.0" | awk '{ print $3 }' | sort -u >"$folder/exported"
hidden=$(grep '^PUM_API' "$prefix/include/pumice.h" | grep -o 'pum_[a-z_]*(' | tr -d '(' | sort -u | comm -23 - "$folder/exported")
[ -z "$hidden" ] || fail "pumice.h declares what the library does not export: $(echo "$hidden" | tr '\n' ' ')"
unnamed=$(comm -13 "$folder/named" "$folder/exported")
[ -z "$unnamed" ] || fail "the library exports what pumice.h does not declare: $(echo "$unnamed" | tr '\n' ' ')"

version=$("$prefix/bin/pumice" --version) || fail "the installed program does not run"
version=${version#pumice }
for program in "$prefix"/bin/* "$prefix/libexec/pumice/pumice-check"; do
    used=$(ldd "$program" | awk '$1 == "libpumice.so.0" { print $3 }')
    [ "$(realpath "$used")" = "$(realpath "$prefix/lib/libpumice.so.0")" ] || fail "$program: expected the library beside it, got $used"
done

# The library finds its helper where it was moved to: here a script that notes it and goes on as the real one.
model=$3
if [ -e "$model" ] && "$prefix/bin/pumice" devices | grep -q .; then
    mv "$prefix/libexec/pumice/pumice-check" "$prefix/libexec/pumice/real"
    printf '#!/bin/sh\n: >"%s"\nexec "%s"\n' "$folder/used" "$prefix/libexec/pumice/real" >"$prefix/libexec/pumice/pumice-check"
    chmod +x "$prefix/libexec/pumice/pumice-check"
    XDG_CACHE_HOME=$folder/cache "$prefix/bin/pumice" run -m "$model" -p Once -n 1 >"$folder/log" 2>&1 &
    running=$!
    for _ in $(seq 300); do
        if [ -e "$folder/used" ] || ! kill -0 $running 2>/dev/null; then break; fi
        sleep 0.2
    done
    kill $running 2>/dev/null || true
    wait $running || true
    [ -e "$folder/used" ] || fail "the library did not start libexec/pumice/pumice-check: $(cat "$folder/log")"
fi

# check PROGRAM WAY: the consumer says the version and the error sentence.
check() {
    LD_LIBRARY_PATH=$prefix/lib "$1" >"$folder/out" || fail "$2: the program failed"
    [ "$(head -n 1 "$folder/out")" = "$version" ] || fail "$2: expected the version $version, got $(head -n 1 "$folder/out")"
    grep -q '^PUM_ERR_IO: .*/nonexistent/model.gguf' "$folder/out" || fail "$2: expected a sentence that names the file, got $(tail -n 1 "$folder/out")"
    echo "$2: $version"
}

# shellcheck disable=SC2046 # flags
PKG_CONFIG_PATH=$prefix/lib/pkgconfig cc -std=c17 -Wall -Wextra -Werror -o "$folder/by-pkg-config" "$project/consumer.c" \
    $(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs pumice)
check "$folder/by-pkg-config" pkg-config
[ "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --modversion pumice)" = "${version%% *}" ] || fail "pumice.pc has another version"

if ! { cmake -S "$project" -B "$folder/by-cmake" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$folder/by-cmake"; } >"$folder/log" 2>&1; then
    cat "$folder/log"
    fail "find_package(pumice)"
fi
check "$folder/by-cmake/consumer" find_package
