#!/usr/bin/env bash
# The Debian package: made, installed into a scratch root, run from there, removed without a trace.
#   test_package.sh BUILD MODEL
set -u
build=$1 model=$2
. "$(dirname "$0")/checks.sh"

need_tools cpack file dpkg dpkg-deb dpkg-shlibdeps fakeroot strip
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

(cd "$build" && cpack -G DEB -B "$scratch/made") >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    echo "FAILED: cpack makes the package"
    exit 1
}
package=$(echo "$scratch"/made/*.deb)
check "there is one package" test -f "$package"
echo "$(basename "$package"), $(stat -c %s "$package") bytes: $(dpkg-deb -f "$package" Depends)"
depends=" $(dpkg-deb -f "$package" Depends | sed 's/([^)]*)//g; s/[,|]/ /g') "
for name in libc6 libsdl2-2.0-0 libsdl2-ttf-2.0-0 libfontconfig1 libpcre2-8-0 libjansson4 libcurl3-gnutls libnettle8 libsqlite3-0 libutf8proc2 libdbus-1-3 libvulkan1; do
    check "it depends on $name" grep -q " $name " <<<"$depends"
done
# CPack's own, for a library in the linker's folder.
scripts() { dpkg-deb --ctrl-tarfile "$package" | tar -xO --wildcards './p*' | grep -vE '^(#!.*|set -e|if .*|fi|)$' | sort -u | xargs; }
check "its scripts call ldconfig and nothing else: $(scripts)" [ "$(scripts)" = ldconfig ]
strangers() { dpkg-deb --fsys-tarfile "$package" | tar -tv | awk '$2 != "root/root" || $1 ~ /^[^l](....w|.......w)/'; }
check "all of it is root's, and nobody else may write" test -z "$(strangers)"
strangers

# The scripts run outside the scratch root, which has no shell: with a ldconfig that only says so.
mkdir "$scratch/bin"
printf '#!/bin/sh\necho called >>"%s"\n' "$scratch/ldconfig" >"$scratch/bin/ldconfig"
chmod +x "$scratch/bin/ldconfig"
root=$scratch/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
in_root() {
    PATH=$scratch/bin:$PATH:/usr/sbin:/sbin fakeroot dpkg --root="$root" --log="$scratch/dpkg.log" --force-not-root --force-depends \
        --force-script-chrootless "$@" >>"$scratch/log" 2>&1
}
left() { find "$root" -path "$root/var/lib/dpkg" -prune -o ! -type d -print; }

check "dpkg installs it" in_root -i "$package"
for file in bin/pumice bin/pumice-chat libexec/pumice/pumice-check share/applications/pumice-chat.desktop share/icons/hicolor/scalable/apps/pumice-chat.svg \
    share/metainfo/org.pumice.Pumice.metainfo.xml share/mime/packages/pumice.xml share/man/man1/pumice.1 share/man/man1/pumice-chat.1 \
    share/bash-completion/completions/pumice share/bash-completion/completions/pumice-chat share/zsh/site-functions/_pumice \
    share/zsh/site-functions/_pumice-chat share/fish/vendor_completions.d/pumice.fish share/fish/vendor_completions.d/pumice-chat.fish; do
    check "usr/$file is there" test -f "$root/usr/$file"
done
# Nothing of the build folder is used, though it is still there.
libraries() { ldd "$root/usr/bin/$1" | grep libpumice; }
for program in pumice pumice-chat; do
    check "$program runs" "$root/usr/bin/$program" --version
    check "with the library beside it" grep -qF "$root/usr/" <<<"$(libraries $program)"
done
if [ -e "$model" ]; then
    ids=$(printf 'Once upon a time' | "$root/usr/bin/pumice" tokenize -m "$model")
    check "it reads a model" [ "$(wc -w <<<"$ids")" -gt 2 ]
fi
if command -v appstreamcli >/dev/null; then
    check "the store entry names what is there" appstreamcli validate-tree --no-net "$root"
fi
check "dpkg takes it away" in_root --purge pumice
check "and nothing is left: $(left)" test -z "$(left)"
check "the linker was told both times" [ "$(wc -l <"$scratch/ldconfig")" = 2 ]
check "no empty folder either" test ! -e "$root/usr"
[ $failures = 0 ] || cat "$scratch/log"
[ $failures = 0 ]
