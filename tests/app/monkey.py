#!/usr/bin/env python3
"""A monkey at the window: keys, letters of several scripts, clicks, drags, wheels, sizes and files, in an order that the seed gives.

    monkey.py PROGRAM MODEL SECONDS [SEED]

The window must stay there, take a question in the end, say nothing that a sanitizer says, and leave with status 0. Needs Xvfb, xdotool,
xclip and openbox. Status 77: they are not there."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

KEYS = ["Return", "shift+Return", "Escape", "Tab", "shift+Tab", "BackSpace", "Delete", "Left", "Right", "Up", "Down", "Home", "End", "Page_Up",
        "Page_Down", "F1", "F2", "F3", "F6", "ctrl+a", "ctrl+c", "ctrl+x", "ctrl+v", "ctrl+z", "ctrl+shift+z", "ctrl+y", "ctrl+n", "ctrl+k",
        "ctrl+f", "ctrl+r", "ctrl+e", "ctrl+i", "ctrl+m", "ctrl+comma", "ctrl+Return", "ctrl+plus", "ctrl+minus", "ctrl+0", "ctrl+shift+c",
        "ctrl+alt+c", "ctrl+shift+p", "ctrl+shift+Delete", "ctrl+Prior", "ctrl+Next", "alt+Left", "alt+Right", "ctrl+Left", "ctrl+shift+Right",
        "shift+Left", "ctrl+BackSpace", "space"]
TEXTS = ["Once upon a time", "the cat", "안녕하세요", "日本語で", "שלום", "مرحبا", "👩‍👩‍👧 🇰🇷", "`code`", "# title", "```c\nint x;\n```", "$\\frac{1}{2}$", "0.5", "- a\n- b",
         "| a | b |\n|---|---|\n| 1 | 2 |", "<think>hm</think>", "https://example.org"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


class Monkey:
    def __init__(self, program, model, seed, home):
        self.random = random.Random(seed)
        self.program, self.model, self.home = program, model, home
        self.log = open(os.path.join(home, "log"), "wb")
        self.window = subprocess.Popen([program, "-m", model, "--ctx", "256"], stderr=self.log, stdout=self.log)
        self.files = self.make_files()
        self.id = None
        self.n = 0

    def make_files(self):
        bodies = {"notes.txt": "words of a file\n" * 200, "chat.json": "{\"format\": 1", "chat.md": "**You**\n\nHello\n\n**Pumice**\n\nHi\n",
                  "broken.gguf": "GGUF\0\0\0\3" + "\xff" * 50, "empty": "", "latin.txt": "caf\xe9"}
        for name, body in bodies.items():
            with open(os.path.join(self.home, name), "w", encoding="latin-1") as f:
                f.write(body)
        return [os.path.join(self.home, name) for name in bodies] + [self.model]

    def do(self, *arguments):
        try:
            return subprocess.run(["xdotool", *map(str, arguments)], capture_output=True, timeout=60, check=False).stdout.decode()
        except subprocess.TimeoutExpired:
            return ""

    def find(self):
        for _ in range(300):
            ids = self.do("search", "--onlyvisible", "--name", "^Pumice$").split()
            if ids:
                self.id = ids[0]
                self.do("windowactivate", "--sync", self.id)
                return
            time.sleep(0.2)
        sys.exit("FAILED: no window came up")

    def act(self):
        r, self.n = self.random, self.n + 1
        what = r.random()
        if what < 0.45:
            self.do("key", "--window", "0", *[r.choice(KEYS) for _ in range(r.randint(1, 5))])
        elif what < 0.6:
            self.do("type", "--delay", "15", r.choice(TEXTS))
        elif what < 0.8:
            self.do("mousemove", "--window", self.id, r.randint(0, 1279), r.randint(0, 799), "click", r.choice([1, 1, 1, 1, 3, 4, 5]))
        elif what < 0.88:
            self.do("mousemove", "--window", self.id, r.randint(0, 1000), r.randint(0, 700), "mousedown", 1, "mousemove_relative", "--",
                    r.randint(-300, 300), r.randint(-300, 300), "mouseup", 1)
        elif what < 0.95:
            self.do("windowsize", self.id, r.choice([320, 360, 420, 700, 900, 1280]), r.choice([280, 400, 700, 800]))
        elif what < 0.97:
            subprocess.run(["xclip", "-selection", "clipboard"], input=b"pasted words " * r.choice([1, 1000]), check=False, timeout=60)
        else: # a second start hands a file over, as the file manager does
            try:
                subprocess.run([self.program, r.choice(self.files)], timeout=60, check=False, capture_output=True)
            except subprocess.TimeoutExpired:
                pass

    def says(self):
        self.log.flush()
        with open(os.path.join(self.home, "log"), "rb") as f:
            return f.read().decode(errors="replace")

    def clipboard(self):
        self.do("key", "--clearmodifiers", "ctrl+shift+c")
        time.sleep(0.5)
        try:
            return subprocess.run(["xclip", "-selection", "clipboard", "-o"], capture_output=True, timeout=10, check=False).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            return ""

    # What was opened is left, and a question is asked as ever.
    def still_works(self):
        self.do("windowsize", self.id, 900, 700)
        self.do("windowactivate", self.id)
        for _ in range(60):
            self.do("key", "Escape", "Escape", "Escape", "ctrl+n", "Escape")
            self.do("key", "ctrl+a", "BackSpace")
            self.do("type", "--delay", "30", "a last question")
            time.sleep(0.5)
            self.do("key", "Return")
            for _ in range(20):
                if "a last question" in self.clipboard():
                    return True
                time.sleep(1)
                if self.window.poll() is not None:
                    return False
        return False


# Leaks count where a frame of ours is in their stack: libraries keep things of their own, and SDL has unloaded X's by then. The process that
# checks kernels leaves its device to its own end.
def complaints(said):
    found = [word for word in ("ERROR: AddressSanitizer", "runtime error", "ThreadSanitizer") if word in said]
    for leak in said.split("\n\n"):
        if "leak of" in leak and ("/app/" in leak or "/runtime/" in leak) and "check_serve" not in leak:
            found.append("a leak of ours:\n" + leak)
    return [f"it said {word}" for word in found]


def main():
    program, model, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    for tool in ("xvfb-run", "xdotool", "xclip", "openbox"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    if not os.path.exists(model):
        skip(f"{model} is not there")
    if "PUMICE_IN_XVFB" not in os.environ:
        with tempfile.TemporaryDirectory() as home:
            os.mkdir(os.path.join(home, "run"), 0o700)
            os.mkdir(os.path.join(home, "Documents"))
            environment = dict(os.environ, HOME=home, XDG_DATA_HOME=home + "/data", XDG_CONFIG_HOME=home + "/config", XDG_STATE_HOME=home + "/state",
                               XDG_RUNTIME_DIR=home + "/run", WAYLAND_DISPLAY="", SDL_VIDEODRIVER="x11", PUMICE_IN_XVFB="1", LSAN_OPTIONS="exitcode=0")
            sys.exit(subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", sys.executable, *sys.argv], env=environment, check=False).returncode)
    manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(1)
    monkey = Monkey(program, model, seed, os.environ["HOME"])
    failures = []
    try:
        monkey.find()
        end = time.monotonic() + seconds
        while time.monotonic() < end and monkey.window.poll() is None:
            monkey.act()
        if monkey.window.poll() is not None:
            failures.append(f"the window ended with status {monkey.window.returncode}")
        elif not monkey.still_works():
            failures.append("it takes no question any more")
        if monkey.window.poll() is None:
            monkey.do("key", "Escape", "Escape", "ctrl+q")
            try:
                status = monkey.window.wait(timeout=120)
                if status != 0:
                    failures.append(f"it left with status {status}")
            except subprocess.TimeoutExpired:
                failures.append("Ctrl+Q does not end it")
    finally:
        if monkey.window.poll() is None:
            monkey.window.kill()
        manager.terminate()
    said = monkey.says()
    failures += complaints(said)
    if failures:
        print(said[-6000:])
    print(f"{monkey.n} things done in {seconds:.0f} s, seed {seed}: {'; '.join('FAILED: ' + f for f in failures) or 'ok'}")
    sys.exit(1 if failures else 0)


main()
