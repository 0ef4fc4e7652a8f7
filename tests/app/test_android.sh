#!/usr/bin/env bash
# test_android.sh ROOT: tools/android says all that is missing, and nothing when nothing is; the project's files are well-formed and name what is
# there. SDK, NDK, Gradle and JDK are stand-ins.
set -eu
root=$1
project=$root/app/android
# shellcheck source=tests/app/checks.sh
. "$(dirname "$0")/checks.sh"
make_folder
tool() { env -i HOME="$folder" PATH="$folder/bin:/usr/bin:/bin" "$@" "$root/tools/android" check >"$folder/out" 2>&1; }
program() { # program NAME WORDS
    printf '#!/bin/sh\necho "%s"\n' "$2" >"$folder/bin/$1"
    chmod +x "$folder/bin/$1"
}
mkdir "$folder/bin"
for name in cmake glslangValidator apt-get dpkg-source tclsh make cc; do program $name ""; done
program javac "javac 11.0.2"
program gradle "Gradle 4.4.1"
if tool; then fail "nothing is there: expected an error"; fi
expect "missing: ANDROID_NDK_HOME: expected the folder of Android's NDK, got nothing"
expect "missing: ANDROID_HOME: expected the folder of Android's SDK, got nothing"
expect "missing: expected a JDK of 17 or newer"
expect "missing: expected Gradle 8.9 or newer"
expect "missing: PUMICE_SDL2: expected a folder with android-project/app/src/main/java/org/libsdl/app/SDLActivity.java, got nothing"
expect "pumice: error: the APK cannot be built here: 5 of what it needs is missing"

program javac "javac 21.0.1"
program gradle "Gradle 8.10"
mkdir -p "$folder/ndk/build/cmake" "$folder/sdk"
touch "$folder/ndk/build/cmake/android.toolchain.cmake"
echo "Pkg.Revision = 25.2.9519653" >"$folder/ndk/source.properties"
if tool ANDROID_NDK_HOME="$folder/ndk" ANDROID_HOME="$folder/sdk"; then fail "an old NDK and an empty SDK: expected an error"; fi
expect "missing: ANDROID_NDK_HOME: expected release 27 or newer"
expect "missing: ANDROID_HOME: expected platforms/android-35 in $folder/sdk"
expect "missing: ANDROID_HOME: expected build-tools/35.*"
expect "missing: ANDROID_HOME: expected accepted licences"
expect "error: the APK cannot be built here: 5 of"
if tool ANDROID_NDK_HOME="$folder/none" ANDROID_HOME="$folder/sdk" PUMICE_ANDROID_SOURCES="$folder"; then fail "expected an error"; fi
expect "expected build/cmake/android.toolchain.cmake in $folder/none"
expect "PUMICE_ANDROID_SOURCES: expected the sources of libsdl2-ttf in $folder/libsdl2-ttf, got none"

echo "Pkg.Revision = 27.1.12297006" >"$folder/ndk/source.properties"
mkdir -p "$folder/sdk/platforms/android-35" "$folder/sdk/build-tools/35.0.0" "$folder/sdk/licenses"
touch "$folder/sdk/platforms/android-35/android.jar" "$folder/sdk/build-tools/35.0.0/aapt2" "$folder/sdk/licenses/one"
activity=$folder/sdl/android-project/app/src/main/java/org/libsdl/app
mkdir -p "$activity"
touch "$activity/SDLActivity.java"
tool ANDROID_NDK_HOME="$folder/ndk" ANDROID_HOME="$folder/sdk" PUMICE_SDL2="$folder/sdl" || fail "all is there: exit status $?"
expect "nothing is missing"

# The project: its XML, and what one file says of another.
: >"$folder/out"
python3 - "$project" >"$folder/out" 2>&1 <<'END' || fail "the project"
import re, sys, xml.etree.ElementTree as xml
from pathlib import Path
project = Path(sys.argv[1])
main = project / "app/src/main"
for file in main.rglob("*.xml"):
    xml.parse(file)
name = "{http://schemas.android.com/apk/res/android}name"
java = main / "java/pumice/chat"
application = xml.parse(main / "AndroidManifest.xml").getroot().find("application")
for part in (*application.iter("activity"), *application.iter("service")):
    assert (java / (part.get(name)[1:] + ".java")).is_file(), part.get(name)
service = application.find("service")
assert service.get("{http://schemas.android.com/apk/res/android}process") == ":check", "the service has to have a process of its own"
# Each native method has its function, each method that C calls is there, and each target that Gradle wants is CMake's.
c = "".join(file.read_text() for file in (project / "native").glob("*.c"))
for file in java.glob("*.java"):
    for method in re.findall(r"native \w+ (\w+)\(", file.read_text()):
        assert f"Java_pumice_chat_{file.stem}_{method}(" in c, method
activity = (java / "PumiceActivity.java").read_text()
for kind, method in re.findall(r'call_(void|int)\("(\w+)"\)', c):
    assert re.search(rf"public {kind} {method}\(\)", activity), method
gradle = (project / "app/build.gradle").read_text()
cmake = (project / "native/CMakeLists.txt").read_text() + (project / "../window/CMakeLists.txt").read_text()
for target in re.search(r"targets (.*)", gradle)[1].replace("'", "").split(", "):
    assert re.search(rf"add_library\({target} SHARED", cmake), target
assert "max-page-size=16384" in (project / "native/libraries.cmake").read_text()
for file in project.rglob("*.gradle"):
    text = file.read_text()
    assert text.count("{") == text.count("}") and text.count("(") == text.count(")"), file
END
echo "it says what is missing; the project is well-formed"
