#!/usr/bin/env python3
"""tools/compare with the real program and peers of this test's own; with the real llama-bench where the second system has it.

usage: test_compare.py ROOT PUMICE MAKE_MODEL
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MAKE_MODEL, PUMICE, ROOT = sys.argv.pop(), os.path.abspath(sys.argv.pop()), sys.argv.pop()
TOOL = os.path.join(ROOT, "tools", "compare")
ROOTFS = os.path.join(ROOT, "tools", "rootfs")

# Both stand-ins write what they do to $PEER_LOG and misbehave as $PEER says.
BENCH = """#!/usr/bin/env python3
import json, os, sys, time
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
open(os.environ["PEER_LOG"], "a").write("bench\\n")
behaviour = os.environ.get("PEER")
if behaviour == "fails":
    sys.exit("some notice\\nfailed to load model")
if behaviour == "sleeps":
    time.sleep(60)
if behaviour == "talks":
    print("hello")
    sys.exit()
common = {"build_number": 7, "backends": "Vulkan", "gpu_info": "Voodoo" if behaviour == "elsewhere" else os.environ["PEER_DEVICE"]}
p, n = int(arguments["-p"]), int(arguments["-n"])
print(json.dumps([{**common, "n_prompt": p, "n_gen": 0, "avg_ts": 10.0 * p}, {**common, "n_prompt": 0, "n_gen": n, "avg_ts": 10.0 * n}]))
"""
SERVER = """#!/usr/bin/env python3
import http.server, json, os, sys
note = lambda text: open(os.environ["PEER_LOG"], "a").write(text + "\\n")
behaviour = os.environ.get("PEER")
if sys.argv[1:] == ["--list-devices"]:
    print("Available devices:\\n  Vulkan0: " + ("Voodoo" if behaviour == "elsewhere" else os.environ["PEER_DEVICE"]) + " (1 MiB)")
    sys.exit()
note(f"pid {os.getpid()}")
if behaviour == "fails":
    sys.exit("failed to load model")
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())
    def do_GET(self):
        self.answer({"status": "ok"})
    def do_POST(self):
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        note("answer")
        if behaviour == "refuses":
            self.send_error(500)
            return
        first = open(os.environ["PEER_LOG"]).read().count("answer") == 1
        self.answer({"timings": {"prompt_n": len(wish["prompt"]), "predicted_n": wish["n_predict"],
                                 "prompt_per_second": 1 if first else 50, "predicted_per_second": 1 if first else 5}})
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.model = os.path.join(cls.folder, "tiny.gguf")
        subprocess.run([MAKE_MODEL, "260k", "Q4_0", cls.model], check=True)
        devices = json.loads(subprocess.run([PUMICE, "devices", "--json"], capture_output=True, text=True, check=True).stdout)
        cls.device = next(d["name"] for d in devices if d["used"])
        for name, text in (("bench", BENCH), ("server", SERVER)):
            with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as script:
                script.write(text)
            os.chmod(script.name, 0o755)

    def setUp(self):
        self.log = os.path.join(self.folder, self.id())

    def command(self, *arguments, peer="bench"):
        return [TOOL, "--program", PUMICE, "-m", self.model, "-p", "4", "-n", "2", "--peer", peer, "--peer-program",
                os.path.join(self.folder, peer), *arguments]

    def environment(self, behaviour):
        return {**os.environ, "PEER": behaviour, "PEER_LOG": self.log, "PEER_DEVICE": self.device}

    def compare(self, *arguments, peer="bench", behaviour=""):
        return subprocess.run(self.command(*arguments, peer=peer), capture_output=True, text=True, timeout=120,
                              env=self.environment(behaviour), check=False)

    def expect_error(self, sentence, *arguments, **more):
        done = self.compare("-r", "1", *arguments, **more)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("pumice: error: ", done.stderr.splitlines()[-1])
        self.assertIn(sentence, done.stderr.splitlines()[-1])

    def logged(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def expect_ended(self):
        """The server that was started is there no more."""
        pid = int(self.logged().split()[1])
        self.assertFalse(os.path.exists(f"/proc/{pid}"), f"process {pid} is still there")

    def test_json(self):
        done = self.compare("-r", "3", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual((result["device"], result["model"], result["repeats"]), (self.device, "random 260k Q4_0", 3))
        self.assertEqual(result["peer"]["version"], "llama.cpp b7 (Vulkan)")
        self.assertEqual(result["peer"]["prefill_tokens_per_s"], {"median": 40, "min": 40, "max": 40, "runs": [40, 40, 40]})
        self.assertEqual(result["peer"]["decode_tokens_per_s"]["median"], 20)
        ours = result["pumice"]["prefill_tokens_per_s"]
        self.assertEqual(ours["median"], sorted(ours["runs"])[1])
        self.assertAlmostEqual(result["ratio"]["prefill"]["median"], ours["median"] / 40)
        self.assertAlmostEqual(result["ratio"]["prefill"]["max"], max(ours["runs"]) / 40)
        order = [line.split(": ")[2] for line in done.stderr.splitlines() if " of 3: " in line]
        self.assertEqual(order, ["pumice", "llama.cpp"] * 3)

    def test_tables(self):
        text = self.compare("-r", "1", "--peer-p", "2").stdout
        self.assertIn("prefill 4 and 2, tok/s", text)
        self.assertIn("llama.cpp b7 (Vulkan)", text)
        markdown = self.compare("-r", "1", "--markdown").stdout
        rows = [line for line in markdown.splitlines() if line.startswith("|")]
        self.assertEqual(len(rows), 5, markdown)
        self.assertEqual({row.count("|") for row in rows}, {4}, markdown)
        self.assertNotIn(self.folder, markdown)  # what is written down names no folder of this machine

    def test_what_is_missing(self):
        self.expect_error("expected the program, got no file: run cmake", "--program", "/nowhere/pumice")
        self.expect_error("expected a model, got no file: tools/model", "-m", "/nowhere/model.gguf")
        self.expect_error("/nowhere/bench: cannot be started", "--peer-program", "/nowhere/bench")
        self.expect_error("--device: expected one of 0 (", "--device", "99")
        self.assertEqual(self.compare("-r", "0").returncode, 2)

    def test_peer_fails(self):
        self.expect_error("bench: expected it to work, got exit status 1: failed to load model", behaviour="fails")
        self.expect_error("llama-bench: expected JSON, got 'hello", behaviour="talks")
        self.expect_error(f"expected it to run on {self.device}, got Voodoo", behaviour="elsewhere")
        self.expect_error("expected it to end within 5 s", "--timeout", "5", behaviour="sleeps")

    def test_server(self):
        done = self.compare("-r", "2", "--json", peer="server")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["peer"]["prefill_tokens_per_s"]["runs"], [50, 50])  # not the first answer
        self.expect_ended()

    def test_server_fails(self):
        self.expect_error("expected it to serve, got exit status 1", peer="server", behaviour="fails")
        self.expect_error("expected it to run on", peer="server", behaviour="elsewhere")
        self.expect_error("a server answers at depth 0 only", "-d", "3", peer="server")
        os.remove(self.log)
        self.expect_error("expected an answer, got HTTP Error 500", peer="server", behaviour="refuses")
        self.expect_ended()

    def test_server_is_stopped(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with subprocess.Popen(self.command("-r", "1000", peer="server"), stderr=subprocess.DEVNULL, env=self.environment(""),
                                  start_new_session=True) as process:
                while "answer" not in self.logged():
                    self.assertIsNone(process.poll())
                    time.sleep(0.1)
                process.send_signal(number)
                self.assertEqual(process.wait(30), status)
            self.expect_ended()
            os.remove(self.log)

    def test_second_system(self):
        folder = subprocess.run([ROOTFS, "path"], capture_output=True, text=True, check=True).stdout.strip()
        if not os.path.exists(os.path.join(folder, "usr/bin/llama-bench")):
            self.skipTest("llama-bench is not there; tools/rootfs setup peer gets it")
        command = [TOOL, "--program", PUMICE, "-m", self.model, "-p", "4", "-n", "2", "-r", "1", "--driver", "lavapipe", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(json.loads(done.stdout)["peer"]["version"], r"^llama.cpp b\d+ \(Vulkan\)$")


if __name__ == "__main__":
    if subprocess.run([PUMICE, "devices"], capture_output=True, check=False).returncode != 0:
        print("skipped: there is no Vulkan device")
        sys.exit(77)
    unittest.main()
