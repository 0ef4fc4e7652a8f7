#!/usr/bin/env python3
"""tools/gpu-report as a person uses it: packs a folder, carries it elsewhere, and reports there, also when steps fail.

usage: test_gpu_report.py ROOT
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

ROOT = sys.argv.pop()
TOOL = os.path.join(ROOT, "tools", "gpu-report")
ROOTFS = os.path.join(ROOT, "tools", "rootfs")
TINY = ["--shapes", "260k", "--types", "Q4_0", "--doctor-type", "Q4_0", "--depths", "0,8", "-p", "8", "-n", "4", "-r", "1"]
FAILING = """#!/bin/sh
echo "[ RUN      ] op/odd"
echo "shape 3x1: expected 2, got 3"
echo "[  FAILED  ] op/odd"
exit 1
"""


class GpuReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.home)
        packed = os.path.join(cls.home, "packed")
        cls.packing = subprocess.run([TOOL, "--pack", packed], capture_output=True, text=True, check=False)
        if cls.packing.returncode:
            raise AssertionError(cls.packing.stderr)
        cls.folder = os.path.join(cls.home, "carried")
        os.rename(packed, cls.folder)
        # The tests of the kernels have runs of their own; here one is enough, and some that fail.
        cls.tests = os.path.join(cls.folder, "tests")
        with open(os.path.join(cls.tests, "list"), encoding="utf-8") as tests:
            cls.listed = tests.read().split("\n")
        with open(os.path.join(cls.tests, "fails"), "w", encoding="utf-8") as script:
            script.write(FAILING)
        os.chmod(script.name, 0o755)

    def report(self, *options, tests=("test_rmsnorm",), environment=None):
        """Exit status, report.json and report.md of a run that knows nothing of this machine's settings."""
        with open(os.path.join(self.tests, "list"), "w", encoding="utf-8") as file:
            file.write("\n".join(tests) + "\n")
        out = os.path.join(self.home, "out")
        shutil.rmtree(out, ignore_errors=True)
        command = [os.path.join(self.folder, "gpu-report"), *TINY, "--out", out, *options]
        kept = {key: value for key, value in os.environ.items() if key.startswith("VK_")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd="/", check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": self.home, **kept, **(environment or {})})
        with open(os.path.join(out, "report.json"), encoding="utf-8") as file:
            result = json.load(file)
        with open(os.path.join(out, "report.md"), encoding="utf-8") as file:
            return done.returncode, result, file.read()

    def steps(self, result, status):
        return {step["name"]: step["reason"] for step in result["steps"] if step["status"] == status}

    def test_pack(self):
        with open(os.path.join(self.folder, "list.txt"), encoding="utf-8") as file:
            names = [line.split(" ", 1)[1] for line in file.read().splitlines()]
        for name in ("gpu-report", "compare", "pumice/bin/pumice", "tests/make_model", "lib/libpcre2-8.so.0", "lib/libjansson.so.4"):
            self.assertIn(name, names)
        self.assertIn("test_matmul", self.listed)
        total = sum(os.path.getsize(os.path.join(self.folder, name)) for name in names)
        self.assertLess(total, 64 << 20)
        # Only what we made is replaced, and too much is said.
        refused = subprocess.run([TOOL, "--pack", self.home], capture_output=True, text=True, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("expected a new or empty folder", refused.stderr)
        large = subprocess.run([TOOL, "--pack", os.path.join(self.home, "large"), "--without-peer", "--limit", "1"], capture_output=True,
                               text=True, check=False)
        self.assertEqual(large.returncode, 1)
        self.assertIn("expected at most 1 MiB, got ", large.stderr.splitlines()[-1])

    def test_report(self):
        status, result, text = self.report("--timeout", "400")
        self.assertEqual((status, self.steps(result, "failed")), (0, {}))
        self.assertRegex(result["commit"], r"^[0-9a-f]{12}$|^unknown$")
        self.assertTrue(result["device"]["name"] and result["device"]["driver_version"])
        self.assertEqual([(t["test"], t["failed"]) for t in result["op_tests"]], [("test_rmsnorm", [])])
        self.assertGreater(result["op_tests"][0]["passed"], 0)
        self.assertEqual([run["depth"] for run in result["bench"][0]["runs"]], [0, 8])
        self.assertIn("| 260k | Q4_0 | 8 |", text)
        if os.path.exists(os.path.join(self.folder, "peer.tar.xz")):
            self.assertGreater(result["compare"][0]["ratio"]["decode"]["median"], 0)
            self.assertIn("| llama.cpp b", text)

    def test_failing_steps(self):
        model = os.path.join(self.home, "model")
        with open(model, "wb") as file:
            file.write(b"GGUF is not enough")
        peer = os.path.join(self.folder, "peer.tar.xz")
        there = os.path.exists(peer)
        if there:
            os.rename(peer, peer + ".away")
        try:
            status, result, text = self.report("--types", "Q4_0,Q9_9", "--model", model, model, tests=("fails", "missing", "test_rmsnorm"))
        finally:
            if there:
                os.rename(peer + ".away", peer)
        failed = self.steps(result, "failed")
        self.assertEqual(status, 1)
        self.assertEqual(set(failed), {"test of the kernels: fails", "test of the kernels: missing", "speed: 260k Q9_9"})
        self.assertIn("type: expected", failed["speed: 260k Q9_9"])
        self.assertEqual(self.steps(result, "left out")["llama.cpp"], "it was not packed")
        self.assertIn("beside llama.cpp: the model that was carried", self.steps(result, "left out"))
        self.assertIn("shape 3x1: expected 2, got 3", text)
        self.assertIn("| 260k | Q4_0 | 8 |", text)  # the others went on

    def test_no_device(self):
        status, result, text = self.report(environment={"VK_DRIVER_FILES": "/nowhere", "VK_ICD_FILENAMES": "/nowhere"})
        self.assertEqual(status, 1)
        self.assertIn("is a driver installed?", self.steps(result, "failed")["devices"])
        self.assertIn("an unknown device", text)

    def test_time_is_up(self):
        status, result, _ = self.report("--budget", "1", tests=["test_rmsnorm"] * 3)
        self.assertIn("the time is up (--budget)", self.steps(result, "left out").values())
        self.assertIn(status, (0, 1))

    def test_stopped(self):
        # What a step started ends with it, and what was measured before is on disk.
        with open(os.path.join(self.tests, "sleeps"), "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\nsleep 1000 & echo $! >\"$HOME/pid\"\nwait\n")
        os.chmod(script.name, 0o755)
        with open(os.path.join(self.tests, "list"), "w", encoding="utf-8") as file:
            file.write("sleeps\n")
        out, pid_file = os.path.join(self.home, "stopped"), os.path.join(self.home, "pid")
        with subprocess.Popen([os.path.join(self.folder, "gpu-report"), *TINY, "--out", out], stderr=subprocess.DEVNULL,
                              env={**os.environ, "HOME": self.home}) as process:
            while not os.path.exists(pid_file) or not os.path.getsize(pid_file):
                self.assertIsNone(process.poll())
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 143)
        with open(pid_file, encoding="utf-8") as file:
            pid = int(file.read())
        stat = f"/proc/{pid}/stat" # whose third word is Z where the process has ended and nobody has asked for its status
        with open(stat if os.path.exists(stat) else os.devnull, encoding="utf-8") as file:
            self.assertIn(file.read().split(" ")[2:3], ([], ["Z"]))
        self.assertTrue(os.path.exists(os.path.join(out, "report.json")))

    def test_elsewhere(self):
        """On a system with another C library, where nothing of this one is installed."""
        folder = subprocess.run([ROOTFS, "path"], capture_output=True, text=True, check=True).stdout.strip()
        if not os.path.exists(os.path.join(folder, ".ready")):
            self.skipTest("the second system is not there; tools/rootfs setup makes it")
        with open(os.path.join(self.tests, "list"), "w", encoding="utf-8") as file:
            file.write("test_rmsnorm\n")
        done = subprocess.run([ROOTFS, "run", "--driver", "lavapipe", os.path.join(self.folder, "gpu-report"), *TINY, "--out", self.home],
                              capture_output=True, text=True, timeout=500, cwd=self.home, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    for preset in ("release", "dev"):
        if not os.path.exists(os.path.join(ROOT, "build", preset, "build.ninja")):
            print(f"skipped: build/{preset} is not there; tools/test builds it")
            sys.exit(77)
    if subprocess.run([os.path.join(ROOT, "build/release/bin/pumice"), "devices"], capture_output=True, check=False).returncode != 0:
        print("skipped: there is no Vulkan device")
        sys.exit(77)
    unittest.main()
