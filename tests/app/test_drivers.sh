#!/bin/sh
# test_drivers.sh ROOT BUILD: the table of drivers: what is asked wrongly, that docs/drivers.md has the rows that the tool has, that a row which
# cannot run says why, that one which is wrong is red, and one that runs.
set -eu
root=$1 build=$2
tool=$root/tools/drivers
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "failed: $*"
    sed 's/^/    /' "$folder/out"
    exit 1
}
status=0
"$tool" voodoo >"$folder/out" 2>&1 || status=$?
[ $status = 2 ] || fail "a row that there is not: expected exit status 2, got $status"
grep -q "expected a row that --list names, got voodoo" "$folder/out" || fail "expected a sentence"

# The page is the tool's: each row once in a table of results, and none besides (a second GPU of a machine may be gpu:1).
"$tool" --list | cut -d ' ' -f 1 | sort >"$folder/rows"
sed -n 's/^| \(\(lavapipe-\|radv:\|nvk:\|turnip:\|panvk:\)[^ ]*\|swiftshader\|gpu\|asahi\|v3dv\|powervr\) |.*/\1/p' "$root/docs/drivers.md" |
    sort >"$folder/written"
diff "$folder/rows" "$folder/written" >"$folder/out" || fail "docs/drivers.md has other rows than tools/drivers (left): make it anew"

# No second system.
status=0
PUMICE_ROOTFS="$folder/none" "$tool" --build "$build" nvk:172 >"$folder/out" 2>"$folder/err" || status=$?
[ $status = 77 ] || fail "a system that is not there: expected exit status 77, got $status"
grep -q "cannot run here: Debian sid is not there" "$folder/out" || fail "expected the reason in the table"

# A program that prints a report with a kernel that did not compile.
mkdir -p "$folder/build/bin" "$folder/root"
touch "$folder/root/.ready"
cat >"$folder/build/bin/pumice" <<'END'
#!/bin/sh
echo "pumice 0.0.0 (stand-in)"
END
chmod +x "$folder/build/bin/pumice"
status=0
PUMICE_ROOTFS="$folder/root" "$tool" --build "$folder/build" nvk:172 >"$folder/out" 2>"$folder/err" || status=$?
[ $status = 1 ] || fail "a driver without a report: expected exit status 1, got $status"
grep -q '| nvk:172 |.*\*\*red\*\*: .*expected a report' "$folder/out" || fail "expected a red row"

status=0
"$tool" --short --build "$build" lavapipe-22.3:256 >"$folder/out" 2>&1 || status=$?
[ $status = 0 ] || [ $status = 77 ] || fail "lavapipe-22.3:256: exit status $status"
if [ $status = 77 ]; then
    tail -n 1 "$folder/out"
    exit 77
fi
grep -q '^| lavapipe-22.3:256 |.* green' "$folder/out" || fail "expected a green row"
echo "the table is the tool's, and a row runs"
