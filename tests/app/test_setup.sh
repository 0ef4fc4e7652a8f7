#!/bin/sh
# test_setup.sh ROOT: what the tools install: all that is missing and nothing else, as root or through sudo, or a sentence.
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
echo "installs what is missing"
