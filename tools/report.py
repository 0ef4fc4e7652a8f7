#!/usr/bin/env python3
"""What a device does with Pumice: its drivers, the tests of each kernel, the chosen kernels, speed, and llama.cpp beside it.

Runs in the folder that `tools/gpu-report --pack` makes, and needs nothing else but a Vulkan driver. Writes report.md and report.json after
each step, so that what was measured is there even if the machine goes away. A step that fails is written down, and the others go on.
Random models of the shapes are written to $TMPDIR, one at a time, for llama.cpp: 4 GB for 7b.
"""
import argparse
import ctypes
import datetime
import glob
import importlib.machinery
import importlib.util
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PUMICE = os.path.join(HERE, "pumice", "bin", "pumice")
PEER = os.path.join(HERE, "peer.tar.xz")


def inside(*names):
    return os.path.join(HERE, *names)


def say(text):
    print(f"pumice: {text}", file=sys.stderr, flush=True)


class Left(Exception):
    """Why a step was left out."""


class Failed(Exception):
    """Why a step failed."""


class Report:
    """Steps and what they gave, on disk after each of them."""

    def __init__(self, options):
        self.options = options
        self.begin = time.monotonic()
        self.steps, self.results = [], {}
        self.environment = {**os.environ}
        os.makedirs(options.out, exist_ok=True)

    def seconds_left(self, limit):
        if self.options.budget is None:
            return limit
        return min(limit, self.options.budget - (time.monotonic() - self.begin))

    def run(self, command, parse=False, accept=(0,)):
        """Standard output of a command, which ends in time or is ended with all that it started."""
        limit = self.seconds_left(self.options.timeout)
        if limit < 1:
            raise Left("the time is up (--budget)")
        self.steps[-1]["command"] = shlex.join(os.path.relpath(word, HERE) if word.startswith(HERE) else word for word in command)
        with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.environment,
                                       start_new_session=True)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                end_group(process)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read())
        self.steps[-1]["said"] = texts[1][-2000:]
        if status not in accept:
            self.steps[-1]["printed"] = texts[0][-4000:]
        if status is None:
            raise Failed(f"expected it to end within {limit:.0f} s")
        if status not in accept:
            raise Failed(f"expected it to work, got exit status {status}: {last_line(texts[1] or texts[0])}")
        if not parse:
            return texts[0]
        try:
            return json.loads(texts[0])
        except ValueError:
            raise Failed(f"expected JSON, got {texts[0][:80]!r}") from None

    def step(self, name, work):
        """Does one step; its result, or None."""
        say(name)
        step = {"name": name, "status": "ok"}
        self.steps.append(step)
        begin = time.monotonic()
        result = None
        try:
            result = work()
        except Left as reason:
            step.update(status="left out", reason=str(reason))
        except (Failed, OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
            step.update(status="failed", reason=str(error) or type(error).__name__)
        step["seconds"] = round(time.monotonic() - begin, 2)
        if step["status"] != "ok":
            say(f"{name}: {step['status']}: {step['reason']}")
        self.write()
        return result

    def keep(self, name, key, work):
        """A step whose result is one of a list in the report."""
        self.step(name, lambda: self.results.setdefault(key, []).append(work()))

    def write(self):
        whole = {**self.results, "steps": self.steps, "seconds": round(time.monotonic() - self.begin, 1)}
        for name, text in (("report.json", json.dumps(whole, indent=2) + "\n"), ("report.md", markdown(whole))):
            path = os.path.join(self.options.out, name)
            with open(path + ".part", "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(path + ".part", path)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def end_group(process):
    """Ends a process and what it started: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


# ---- the steps


def machine():
    about = {"system": " ".join(platform.uname()[:3]), "processor": platform.machine(), "n_cpus": os.cpu_count()}
    for path, key in (("/proc/cpuinfo", "model name"), ("/etc/os-release", "PRETTY_NAME")):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = [line for line in file if line.startswith(key)]
        except OSError:
            continue
        if lines:
            about[key] = lines[0].split(":" if ":" in lines[0] else "=", 1)[1].strip().strip('"')
    return about


def prepare_libraries(report):
    """Our libraries; the Vulkan loader that came along where the machine has none; drivers outside the usual folders."""
    folders = [inside("lib")]
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        folders.append(inside("lib", "loader"))
        say("this machine has no Vulkan loader: taking the one that came along")
    old = report.environment.get("LD_LIBRARY_PATH")
    report.environment["LD_LIBRARY_PATH"] = ":".join(folders + ([old] if old else []))
    usual = glob.glob("/usr/share/vulkan/icd.d/*.json") + glob.glob("/etc/vulkan/icd.d/*.json")
    others = glob.glob("/usr/local/*/share/vulkan/icd.d/*.json") + glob.glob("/opt/*/share/vulkan/icd.d/*.json")
    if not usual and others and not {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"} & set(report.environment):
        report.environment["VK_DRIVER_FILES"] = report.environment["VK_ICD_FILENAMES"] = ":".join(sorted(others))
        say(f"taking the drivers {' '.join(sorted(others))}")


def choose_device(report):
    devices = report.run([PUMICE, "devices", "--json"], parse=True)
    report.results["devices"] = devices
    wanted = report.options.device
    chosen = [d for d in devices if (d["used"] if wanted is None else d["index"] == wanted)]
    if not chosen:
        expected = "a Vulkan device" if wanted is None else f"device {wanted}"
        raise Failed(f"expected {expected}, got {len(devices)} others: is a driver installed?")
    report.environment["PUMICE_TEST_DEVICE"] = str(chosen[0]["index"])
    version = report.run([PUMICE, "--version"]).strip()
    report.results.update(device=chosen[0], version=version, commit=version.partition("(")[2].rstrip(")"))
    return chosen[0]


def op_test(report, line):
    words = shlex.split(line)
    text = report.run([inside("tests", words[0]), *words[1:]], accept=range(-64, 256))
    text += report.steps[-1]["said"]
    lines = text.splitlines()
    result = {
        "test": words[0],
        "passed": sum("[       OK ]" in line for line in lines),
        "failed": sorted({line.split("]", 1)[1].strip() for line in lines if line.startswith("[  FAILED  ]")}),
    }
    report.results.setdefault("op_tests", []).append(result)
    if "[  PASSED  ]" not in text and not result["failed"]:
        result["failed"] = [last_line(text)]
    if result["failed"]:
        result["output"] = text[-4000:]
        raise Failed(", ".join(result["failed"]))


def doctor(report):
    if " doctor" not in report.run([PUMICE, "--help"]):
        raise Left("this version has no doctor")
    only = ["--type", report.options.doctor_type] if report.options.doctor_type else []
    report.results["doctor"] = report.run([PUMICE, "doctor", "--device", device_index(report), *only, "--json"], parse=True)


def device_index(report):
    return str(report.results["device"]["index"])


def kernel_times(report, program, arguments):
    return {"program": program, "output": report.run([inside("tests", program), *arguments])}


def bench(report, shape, kind):
    o = report.options
    result = report.run([PUMICE, "bench", "--device", device_index(report), "--shape", shape, "--type", kind, "-p", str(o.p), "-n", str(o.n),
                         "-d", o.depths, "-r", str(o.r), "--json"], parse=True)
    return {"shape": shape, "type": kind, **result}


def unpack_peer(folder):
    if not os.path.exists(PEER):
        raise Left("it was not packed")
    with tarfile.open(PEER) as archive:
        archive.extractall(folder)
    return os.path.join(folder, "llama-bench")


def compare(report, peer, model):
    o = report.options
    if peer is None:
        raise Left("llama.cpp is not there")
    return report.run([sys.executable, inside("compare"), "--program", PUMICE, "--peer-program", peer, "--device", device_index(report),
                       "-m", model, "-p", str(o.p), "-n", str(o.n), "-r", str(o.r), "--json"], parse=True)


def make_model(report, folder, shape, kind):
    path = os.path.join(folder, f"random-{shape}-{kind}.gguf")
    report.run([inside("tests", "make_model"), shape, kind, path])
    return path


def join_model(report, folder):
    """A real model, from the parts that it was carried in."""
    path = os.path.join(folder, "model.gguf")
    with open(path, "wb") as whole:
        for part in report.options.model:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, whole)
    return path


def all_steps(report, folder):
    o = report.options
    report.results["date"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    report.results["machine"] = report.step("the machine", machine)
    report.step("libraries", lambda: prepare_libraries(report))
    if report.step("devices", lambda: choose_device(report)) is None:
        return
    report.step("doctor", lambda: doctor(report))
    with open(inside("tests", "list"), encoding="utf-8") as tests:
        for line in tests.read().splitlines():
            report.step(f"test of the kernels: {line}", lambda line=line: op_test(report, line))
    peer = report.step("llama.cpp", lambda: unpack_peer(folder))
    kinds = [(shape, kind) for shape in o.shapes.split(",") for kind in o.types.split(",")]
    for shape, kind in kinds:
        report.keep(f"speed: {shape} {kind}", "bench", lambda shape=shape, kind=kind: bench(report, shape, kind))
        if peer is None:
            continue
        model = report.step(f"a model file: {shape} {kind}", lambda shape=shape, kind=kind: make_model(report, folder, shape, kind))
        if model:
            report.keep(f"beside llama.cpp: {shape} {kind}", "compare", lambda model=model: compare(report, peer, model))
            os.remove(model)
    if o.model:
        model = report.step("the model that was carried", lambda: join_model(report, folder))
        if model:
            report.keep("beside llama.cpp: the model that was carried", "compare", lambda: compare(report, peer, model))
    if o.kernels:
        report.keep("times of the matrix products", "kernels", lambda: kernel_times(report, "bench_matmul", o.types.split(",")))
        report.keep("times of attention", "kernels", lambda: kernel_times(report, "bench_attention", []))


# ---- the text


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows] + [""]


def cell(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value).replace("|", "\\|").replace("\n", " ")


def as_it_stands(text):
    return ["```", text.rstrip(), "```", ""]


def of(values, *names):
    return [values.get(name) for name in names]


# Columns of the table of speed: heading, key.
SPEED = [("depth", "depth"),
         ("prefill tok/s", "prefill_tokens_per_s"), ("GFLOP/s", "prefill_gflop_per_s"), ("% of peak", "prefill_percent_of_peak"),
         ("decode tok/s", "decode_tokens_per_s"), ("GB/s", "decode_gb_per_s"), ("% of peak", "decode_percent_of_peak"),
         ("dispatches", "dispatches_per_token"), ("barriers", "barriers_per_token"), ("host µs", "host_us_per_token")]


def speed(whole):
    rows = [[b["shape"], b["type"], *of(r, *(key for _, key in SPEED))] for b in whole["bench"] for r in b["runs"]]
    command = [step.get("command", "") for step in whole["steps"] if step["name"].startswith("speed: ") and step["status"] == "ok"][-1]
    peaks = of(whole["bench"][-1], "read_peak_gb_per_s", "multiply_peak_gflop_per_s")
    return ["## Speed", "", f"Peaks of the last run: {cell(peaks[0])} GB/s read, {cell(peaks[1])} GFLOP/s multiplied. `{command}`", "",
            *table(["shape", "type", *(heading for heading, _ in SPEED)], rows)]


def as_markdown_of_compare(result):
    loader = importlib.machinery.SourceFileLoader("compare", inside("compare"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
    loader.exec_module(module)
    return module.as_markdown(result).splitlines() + [""]


def markdown(whole):
    device = whole.get("device") or {}
    lines = [f"# Pumice on {device.get('name', 'an unknown device')}", ""]
    lines += [f"{whole['date']}, commit {whole.get('commit', 'unknown')}, {device.get('driver', 'no driver')} {device.get('driver_version', '')}; "
              f"{whole['seconds']:.0f} s in all.", ""]
    if whole.get("machine"):
        lines += [", ".join(str(value) for value in whole["machine"].values()) + ".", ""]
    troubles = [step for step in whole["steps"] if step["status"] != "ok"]
    if troubles:
        lines += ["## What did not work", "", *table(["step", "", "reason"], [of(step, "name", "status", "reason") for step in troubles])]
    if device:
        lines += ["## Device", "", *table(["", ""], [[key, value] for key, value in device.items()])]
    if whole.get("op_tests"):
        names = ["test", "passed", "failed"]
        lines += ["## Kernels beside plain references", "", *table(names, [of(t, *names) for t in whole["op_tests"]])]
        for test in whole["op_tests"]:
            lines += as_it_stands(test["output"]) if test["failed"] else []
    if whole.get("doctor"):
        d = whole["doctor"]
        names = ["op", "tokens", "variant", "verdict", "max_error_ratio", "mean_kl", "time_us", "chosen"]
        lines += ["## Doctor", "", f"{d.get('verdict')}, mean KL {d.get('mean_kl')}", ""]
        lines += table(names, [of(v, *names) for v in d.get("variants", [])])
    if whole.get("bench"):
        lines += speed(whole)
    if whole.get("compare"):
        lines += ["## Beside llama.cpp", ""]
        for result in whole["compare"]:
            lines += as_markdown_of_compare(result)
    for result in whole.get("kernels", []):
        lines += [f"## {result['program']}", "", *as_it_stands(result["output"])]
    names = ["name", "status", "seconds", "command"]
    lines += ["## Steps", "", *table(["step", "", "s", "command"], [of(step, *names) for step in whole["steps"]])]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", metavar="DIR", default=".", help="where report.md and report.json go; default: this folder")
    parser.add_argument("--device", type=int, metavar="N", help="by index; default: the one that pumice takes")
    parser.add_argument("--shapes", default="135m,1.1b,7b", help="of random models; default 135m,1.1b,7b")
    parser.add_argument("--types", default="Q4_0,Q4_K", help="default Q4_0,Q4_K")
    parser.add_argument("--doctor-type", metavar="TYPE", help="check only the kernels for weights of this type; default: all")
    parser.add_argument("--depths", default="0,2048,8192", help="default 0,2048,8192")
    parser.add_argument("-p", type=int, metavar="N", default=512, help="tokens of a prompt; default 512")
    parser.add_argument("-n", type=int, metavar="N", default=128, help="tokens to decode; default 128")
    parser.add_argument("-r", type=int, metavar="N", default=3, help="runs; default 3")
    parser.add_argument("--model", nargs="+", metavar="PART",
                        help="a real model too: a file, or its parts in their order (split -b 48M FILE)")
    parser.add_argument("--kernels", action="store_true", help="also time every variant of the matrix products and of attention")
    parser.add_argument("--timeout", type=int, metavar="S", default=900, help="seconds for one step; default 900")
    parser.add_argument("--budget", type=int, metavar="S", help="seconds for all; what does not fit is left out; default: no end")
    options = parser.parse_args()
    if not os.path.exists(PUMICE):
        print(f"pumice: error: {PUMICE}: expected the program, got no file: run this in a folder that tools/gpu-report --pack made",
              file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(options)
    try:
        with tempfile.TemporaryDirectory() as folder:
            all_steps(report, folder)
    except KeyboardInterrupt:
        say("stopped")
        return 130
    n_failed = sum(step["status"] == "failed" for step in report.steps)
    say(f"{os.path.join(options.out, 'report.md')}: {len(report.steps)} steps, {n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
