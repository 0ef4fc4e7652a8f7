#!/bin/sh
# test_setup.sh ROOT: what the tools install: all that is missing and nothing else, as root or through sudo, or a sentence; and the newer
# shader compiler, without which they go on.
# dpkg-query, apt-get, id and sudo are stand-ins here.
set -eu
root=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "failed: $*"
    cat "$folder/out"
    exit 1
}
mkdir "$folder/bin"
# Knows two packages, one of them removed again, and like the real one ends with 1 for any that was never there.
cat >"$folder/bin/dpkg-query" <<'END'
#!/bin/sh
printf 'installed:here\nconfig-files:removed\n'
[ "$*" = "${*%never*}" ]
END
cat >"$folder/bin/apt-get" <<'END'
#!/bin/sh
echo "apt-get $*"
case "$1" in install) [ ! -e "$0.broken" ] ;; update) [ ! -e "$0.offline" ] ;; esac
END
printf '#!/bin/sh\ncat "%s/uid"\n' "$folder" >"$folder/bin/id"
printf '#!/bin/sh\necho "sudo $*"\nexec "$@"\n' >"$folder/sudo"
chmod +x "$folder"/bin/* "$folder/sudo"
echo 0 >"$folder/uid"

# The real commands that the tool needs besides, so that no real sudo is found.
for name in sed tr env bash sh cat; do ln -s "$(command -v $name)" "$folder/bin/$name"; done
need() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    env -i PATH="$folder/bin" bash -euo pipefail -c '. "$0/tools/setup.sh"; need_packages "$@"; echo went on' "$root" "$@" >"$folder/out" 2>&1
}
expect() { grep -qF -- "$1" "$folder/out" || fail "expected: $1"; }

need here || fail "nothing missing: exit status $?"
if grep -q apt-get "$folder/out"; then fail "expected nothing to be installed"; fi
expect "went on"
need here removed never never || fail "two missing: exit status $?"
expect "installing 2 Debian packages: removed never"
expect "install -yq --no-install-recommends removed never"
expect "went on"
touch "$folder/bin/apt-get.offline"
need never || fail "old lists: exit status $?"
expect "could not all be renewed"
expect "went on"
touch "$folder/bin/apt-get.broken"
if need never; then fail "a failed installation: expected an error"; fi
expect "pumice: error: apt-get could not install them"
rm "$folder"/bin/apt-get.*
echo 1000 >"$folder/uid"
if need never here; then fail "neither root nor sudo: expected an error"; fi
expect "have an administrator run: apt-get install never"
mv "$folder/sudo" "$folder/bin/sudo"
need never here || fail "sudo: exit status $?"
expect "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends never"
expect "went on"

# The shader compiler: apt-get knows an archive or none and makes a package or fails, and dpkg-deb unpacks what `works` says.
for name in rm mkdir chmod touch grep; do ln -s "$(command -v $name)" "$folder/bin/$name"; done
cat >"$folder/bin/apt-get" <<'END'
#!/bin/sh
echo "apt-get $*"
case "$*" in
indextargets*) cat "$0.archives" ;;
"update --print-uris") [ ! -e "$0.uris" ] || cat "$0.uris" ;;
*update) ;;
*download*) grep -q ' some-archive/debian ' ../sources.list && [ -e "$0.works" ] && : >some.deb ;;
*) exit 1 ;;
esac
END
cat >"$folder/bin/dpkg-deb" <<'END'
#!/bin/sh
case "$*" in "-x "*some.deb*) ;; *) exit 1 ;; esac
mkdir -p "$3/usr/bin" "$3/usr/lib/some-linux-gnu" "$3/usr/share/doc"
cp "${0%/*}/apt-get.works" "$3/usr/lib/some-linux-gnu/ld-linux-some.so.2"
chmod +x "$3/usr/lib/some-linux-gnu/ld-linux-some.so.2"
END
ln -s "$(command -v cp)" "$folder/bin/cp"
chmod +x "$folder/bin/apt-get" "$folder/bin/dpkg-deb"
tools() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    (cd "$folder" && env -i PATH="$folder/bin" bash -euo pipefail -c '. "$0/tools/setup.sh"; shader_tools; echo went on' "$root") >"$folder/out" 2>&1
}
echo 'Other main other-archive' >"$folder/bin/apt-get.archives"
tools || fail "no archive for the shader compiler: exit status $?"
expect "without the kernels that it does not know"
grep -qF "expected a Debian archive" "$folder/build/shader-tools.log" || fail "expected the log to say that no archive is known"
echo 'Debian main some-archive/debian' >>"$folder/bin/apt-get.archives"
tools || fail "no network for the shader compiler: exit status $?"
expect "without the kernels that it does not know"
expect "went on"
printf '#!/bin/sh\nexit 127\n' >"$folder/bin/apt-get.works"
tools || fail "a shader compiler that does not run: exit status $?"
expect "does not run here"
[ ! -e "$folder/build/shader-tools/bin/glslangValidator" ] || fail "expected a compiler that does not run to be left out"
printf '#!/bin/sh\necho "$@"\n' >"$folder/bin/apt-get.works"
tools || fail "a shader compiler: exit status $?"
grep -q 'download .*glslang-tools' "$folder/build/shader-tools.log" || fail "expected the compiler to be asked for"
case $("$folder/build/shader-tools/bin/spirv-val" --an "option") in
"--library-path "*"/usr/lib/some-linux-gnu "*"/usr/bin/spirv-val --an option") ;;
*) fail "expected the program to be given its libraries and options" ;;
esac
[ ! -e "$folder/build/shader-tools/trixie/usr/share" ] || fail "expected nothing but programs and libraries"
rm -r "$folder/build" "$folder/bin/apt-get.archives"
: >"$folder/bin/apt-get.archives"
echo "'some-archive/debian/dists/some/InRelease' some 0" >"$folder/bin/apt-get.uris"
tools || fail "a shader compiler, where apt has no lists: exit status $?"
[ -e "$folder/build/shader-tools/.ready" ] || fail "expected the archive to be found in what apt would fetch"
rm "$folder/bin/apt-get"
tools || fail "the second time: exit status $?"
if grep -q getting "$folder/out"; then fail "expected the compiler to stay"; fi
echo "installs what is missing"
