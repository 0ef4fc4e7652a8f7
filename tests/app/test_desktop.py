#!/usr/bin/env python3
"""Completions, manual pages, menu entry, store entry and icon, beside what the programs say themselves.
  test_desktop.py PUMICE SOURCES"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import SourceFileLoader

failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'FAILED'}: {what}" + (f"\n{detail}" if detail and not good else ""), flush=True)


def run(what, *command, **options):
    """Checks that a command ends with 0 and complains of nothing."""
    if not shutil.which(command[0]):
        print(f"skipped: {command[0]} is not installed: {what}")
        return None
    done = subprocess.run(command, capture_output=True, text=True, **options)
    check(what, done.returncode == 0 and not done.stderr, done.stdout + done.stderr)
    return done.stdout


def completions(pumice, sources, folder):
    run("the completions are made", sys.executable, f"{sources}/tools/completions", pumice, folder)
    kept = f"{sources}/assets/completions"
    check("and they are those that are kept", sorted(os.listdir(folder)) == sorted(os.listdir(kept)) and all(
        open(f"{folder}/{name}").read() == open(f"{kept}/{name}").read() for name in os.listdir(folder)),
        "run: tools/completions PUMICE assets/completions")
    for name in sorted(os.listdir(kept)):
        shell = "bash" if name.endswith(".bash") else "fish" if name.endswith(".fish") else "zsh"
        run(f"{shell} reads {name}", shell, "-n", f"{kept}/{name}", env={**os.environ, "HOME": folder})
    asked = {("pumice", "do"): "doctor", ("pumice", "run", "--top-"): "--top-k --top-p", ("pumice", "bench", "--path", "h"): "host",
             ("pumice", "run", "--kv", ""): "f16 q8_0", ("pumice-chat", "--th"): "--theme", ("pumice-chat", "--theme", ""): "auto light dark contrast"}
    for words, expected in asked.items():
        script = (f'. "{kept}/{words[0]}.bash"; COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; '
                  f'{"_" + words[0].replace("-", "_")}; echo "${{COMPREPLY[*]}}"')
        got = run(f"bash completes {' '.join(words)}", "bash", "-c", script)
        check("as expected", got is not None and got.strip() == expected, f"expected {expected}, got {got}")
        got = run(f"fish completes {' '.join(words)}", "fish", "--no-config", "-c", f'source {kept}/{words[0]}.fish; complete -C "{" ".join(words)}"',
                  env={**os.environ, "HOME": folder})
        if got is not None:
            names = [line.split("\t")[0] for line in got.splitlines()]
            check("as expected", sorted(names) == sorted(expected.split()), f"expected {expected}, got {names}")


def tags(text):
    """The options that a part of an mdoc page has entries for."""
    return [name.replace("\\-", "-") for name in re.findall(r"^\.It (?:Fl) (\S+)", text, re.M)]


def manuals(pumice, sources):
    maker = SourceFileLoader("completions", f"{sources}/tools/completions").load_module()
    for program, commands in maker.programs(pumice).items():
        page = open(f"{sources}/docs/man/{program}.1").read()
        sections = dict(re.findall(r"^\.Ss (\S+)\n(.*?)(?=^\.S[sh] |\Z)", page, re.M | re.S))
        if "" not in commands:
            check(f"{program}.1 has the commands that there are", sorted(sections) == sorted(commands), f"{sorted(sections)}")
        for command, (_, options) in commands.items():
            there = tags(sections.get(command, "") if command else page)
            wanted = [name[1:] for name, _, _ in options if not command or name != "--help"]
            check(f"{program}.1 has the options of {command or program}, in order", there == wanted, f"page {there}\nhelp {wanted}")
        if run(f"{program}.1 can be set", "groff", "-mandoc", "-Tutf8", "-ww", "-z", f"{sources}/docs/man/{program}.1") is not None:
            run(f"man shows {program}.1", "man", "--warnings", "-l", f"{sources}/docs/man/{program}.1",
                env={**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})


def entries(sources, folder):
    assets = f"{sources}/assets"
    run("the menu entry is valid", "desktop-file-validate", "--no-hints", f"{assets}/pumice-chat.desktop")
    run("the store entry is valid", "appstreamcli", "validate", "--no-net", f"{assets}/org.pumice.Pumice.metainfo.xml")
    os.makedirs(f"{folder}/mime/packages")
    shutil.copy(f"{assets}/pumice-mime.xml", f"{folder}/mime/packages/pumice.xml")
    if run("the file type is taken", "update-mime-database", f"{folder}/mime", env={**os.environ, "XDG_DATA_HOME": folder}) is not None:
        check("and belongs to *.gguf", ":application/x-gguf:*.gguf" in open(f"{folder}/mime/globs2").read())
        check("which the menu entry opens", "MimeType=application/x-gguf;" in open(f"{assets}/pumice-chat.desktop").read())
    for size in (16, 256):
        picture = f"{folder}/{size}.png"
        if run(f"the icon can be drawn at {size} pixels", "rsvg-convert", "-w", str(size), "-h", str(size),
               f"{assets}/pumice-chat.svg", "-o", picture) is not None:
            check("and is not empty", os.path.getsize(picture) > 3 * size)


def main():
    pumice, sources = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        completions(pumice, sources, f"{folder}/completions")
        manuals(pumice, sources)
        entries(sources, folder)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
