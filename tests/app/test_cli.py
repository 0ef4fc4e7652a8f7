#!/usr/bin/env python3
"""The command-line program as people and scripts meet it.

usage: test_cli.py PUMICE DATA [default-model]      DATA: the folder of test data; default-model: only what needs that model
"""
import json
import os
import pty
import random
import select
import subprocess
import sys
import tempfile
import unittest

from gguf_edit import Gguf

PUMICE, DATA = sys.argv[1:3]
MODEL = os.path.join(DATA, "models/stories260K/stories260K-f32.gguf")
VOCABULARIES = [os.path.join(DATA, "tokenizers/vocab", name) for name in ("ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf")]
DATA_HOME = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
DEFAULT_MODEL = os.path.join(DATA_HOME, "pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf")


def pumice(*args, stdin=b"", timeout=120, env=None):
    return subprocess.run([PUMICE, *map(str, args)], input=stdin, capture_output=True, timeout=timeout, env=env)


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, command, environment):
        self.ours, theirs = pty.openpty()
        self.program = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
        os.close(theirs)

    def type(self, text):
        os.write(self.ours, text.encode())

    def read_until(self, end, timeout=120):
        """What comes until it ends so, without what the terminal adds."""
        text = ""
        while not text.endswith(end):
            if not select.select([self.ours], [], [], timeout)[0]:
                self.program.kill()
                raise AssertionError("expected %r in the end, got %r" % (end, text))
            text += os.read(self.ours, 4096).decode(errors="replace").replace("\r", "")
        return text

    def wait(self):
        status = self.program.wait(60)
        os.close(self.ours)
        return status


class Case(unittest.TestCase):
    def works(self, *args, **how):
        done = pumice(*args, **how)
        self.assertEqual(done.returncode, 0, (args, done.stderr))
        self.assertNotIn(b"pumice: error", done.stderr)
        return done

    def refused(self, status, words, *args, **how):
        """It fails with this exit status, one line that has the words, and nothing on standard output."""
        done = pumice(*args, **how)
        lines = [line for line in done.stderr.decode().splitlines() if line.startswith("pumice: error: ")]
        self.assertEqual(done.returncode, status, (args, done.stderr))
        self.assertEqual(len(lines), 1, (args, done.stderr))
        self.assertEqual(done.stdout, b"", args)
        for word in words:
            self.assertIn(word, lines[0], args)
        return lines[0]


class Run(Case):
    def test_greedy_text(self):
        with open(os.path.join(DATA, "models/stories260K/expected_greedy_n200.txt"), "rb") as file:
            self.assertEqual(self.works("run", "-m", MODEL, "-p", "", "--temp", 0, "-n", 200).stdout, file.read())

    def test_prompts_from_everywhere(self):
        common = ("run", "-m", MODEL, "--temp", 0, "-n", 8)
        first = self.works(*common, "-p", "Once upon").stdout
        self.assertTrue(first.endswith(b"\n") and first.count(b"\n") == 1 and len(first) > 8)
        self.assertEqual(first, self.works(*common, stdin=b"Once upon").stdout)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"Once upon")
            file.flush()
            self.assertEqual(first, self.works(*common, "-f", file.name).stdout)
        self.assertEqual(b"Once upon" + first, self.works(*common, "-p", "Once upon", "--echo").stdout)

    def test_seeds(self):
        texts = [self.works("run", "-m", MODEL, "-p", "One day", "-n", 30, "--seed", seed) for seed in (1, 1, 2)]
        self.assertEqual(texts[0].stdout, texts[1].stdout)
        self.assertNotEqual(texts[0].stdout, texts[2].stdout)
        drawn = self.works("run", "-m", MODEL, "-p", "One day", "-n", 30)
        said = drawn.stderr.decode().split("pumice: seed ")
        self.assertEqual(len(said), 2, drawn.stderr)
        again = self.works("run", "-m", MODEL, "-p", "One day", "-n", 30, "--seed", said[1].split()[0])
        self.assertEqual(again.stdout, drawn.stdout)

    def test_stop_strings(self):
        text = self.works("run", "-m", MODEL, "-p", "", "--temp", 0, "-n", 60).stdout
        for stop in (b"little girl", b"girl named", b"L", b", "):
            got = self.works("run", "-m", MODEL, "-p", "", "--temp", 0, "-n", 60, "--stop", stop.decode()).stdout
            self.assertIn(stop, text)
            self.assertEqual(got, text.split(stop)[0] + b"\n")
        got = self.works("run", "-m", MODEL, "-p", "", "--temp", 0, "-n", 60, "--stop", "never said", "--stop", "Lily").stdout
        self.assertEqual(got, text.split(b"Lily")[0] + b"\n")

    def test_full_context(self):
        done = self.works("run", "-m", MODEL, "-p", "", "--temp", 0, "--ctx", 16)
        self.assertIn(b"context of 16 tokens is full", done.stderr)
        self.assertIn("16", self.refused(1, ["context", "--ctx"], "run", "-m", MODEL, "-p", "word " * 50, "--ctx", 16))
        self.refused(1, ["512", "100000", "expected"], "run", "-m", MODEL, "-p", "x", "--ctx", 100000)

    def test_chat_needs_a_template(self):
        self.refused(1, ["template", "pumice run"], "run", "-m", MODEL, "--chat", "-p", "Hello")
        self.refused(1, ["template", "pumice run"], "chat", "-m", MODEL, stdin=b"Hello\n")


class Usage(Case):
    def test_help_and_version(self):
        self.assertRegex(self.works("--version").stdout.decode(), r"^pumice \d+\.\d+\.\d+ \(\w+\)\n$")
        commands = self.works("--help").stdout.decode()
        for name in ("run", "chat", "devices", "info", "tokenize", "detokenize", "logits", "bench", "doctor"):
            self.assertIn("\n  %s " % name, commands)
            self.assertIn("pumice %s: " % name, self.works(name, "--help").stdout.decode())

    def test_usage_errors(self):
        for args in (["frob"], ["run", "--frob"], ["run", "-p"], ["run", "--temp", "warm"], ["run", "--temp", "-1"],
                     ["run", "--top-p", "3"], ["run", "-n", "0"], ["run", "-n", "1.5"], ["run", "--temp", "nan"],
                     ["run", "--seed", "x"], ["info"], ["logits"], ["bench", "-d", "1,x"], ["devices", "extra"],
                     ["run", "-n", "99999999999999999999"]):
            self.refused(2, ["expected", "--help"], *args)
        self.assertEqual(pumice().returncode, 2)

    def test_missing_files(self):
        for args in (["run", "-m", "/nonexistent", "-p", "x"], ["info", "/nonexistent"], ["tokenize", "-m", "/nonexistent"],
                     ["run", "-m", MODEL, "-f", "/nonexistent"], ["logits", "-m", MODEL, "--tokens", "/nonexistent", "-o", "/dev/null"]):
            self.refused(1, ["/nonexistent"], *args)
        if not os.path.exists(DEFAULT_MODEL):
            self.refused(1, ["tools/chat"], "tokenize")

    def test_closed_output(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PUMICE, "run", "-m", MODEL, "-p", "", "--temp", "0", "-n", "20"], stdout=full,
                                  stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"pumice: error: standard output", done.stderr)


class Json(Case):
    def expect_keys(self, value, keys):
        self.assertEqual([key for key in keys.split() if key not in value], [])

    def test_devices(self):
        devices = json.loads(self.works("devices", "--json").stdout)
        self.assertEqual(sum(device["used"] for device in devices), 1)
        for i, device in enumerate(devices):
            self.expect_keys(device, "index name vendor type driver driver_version api_version uuid memory_bytes available_bytes "
                             "used reason subgroup_size fp16 int8_dot coopmat")
            self.assertEqual(device["index"], i)

    def test_info(self):
        info = json.loads(self.works("info", MODEL, "--json").stdout)
        self.expect_keys(info, "architecture name n_params n_layer n_embd n_head n_head_kv head_dim n_ff n_vocab n_ctx_train "
                         "file_bytes tensor_types chat_template tokenizer plan")
        self.expect_keys(info["plan"], "n_ctx weights_bytes kv_bytes scratch_bytes available_bytes fits")
        known = {"architecture": "llama", "n_layer": 5, "n_embd": 64, "n_head": 8, "n_head_kv": 4, "head_dim": 8, "n_ff": 172,
                 "n_vocab": 512, "n_ctx_train": 512, "tensor_types": {"F32": 48}, "chat_template": None,
                 "file_bytes": os.path.getsize(MODEL)}
        self.assertEqual({key: info[key] for key in known}, known)
        self.assertEqual((info["plan"]["n_ctx"], info["plan"]["fits"]), (512, True))
        self.assertGreaterEqual(info["plan"]["weights_bytes"], 4 * info["n_params"])
        self.assertEqual(json.loads(self.works("info", MODEL, "--json", "--ctx", 64).stdout)["plan"]["n_ctx"], 64)
        self.assertIn(b"memory plan", self.works("info", MODEL).stdout)
        kept = [json.loads(self.works("info", MODEL, "--json", "--kv", kv).stdout)["plan"]["kv_bytes"] for kv in ("f16", "q8_0")]
        self.assertLess(kept[1], kept[0])

    def test_doctor(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "XDG_CACHE_HOME": home}
            environment.update({"HOME": "/home/jane.doe", "USER": "jane.doe", "MESA_TEST_NOTE": "/home/jane.doe/x:/home/john.roe/y"})
            file = os.path.join(home, "report.txt")
            report = json.loads(self.works("doctor", "--type", "Q8_0", "--json", "--report", file, timeout=300, env=environment).stdout)
            self.assertTrue(os.listdir(os.path.join(home, "pumice")))
            self.expect_report(file, report)
        self.expect_keys(report, "device driver verdict mean_kl variants")
        self.assertEqual(report["verdict"], "ok")
        self.assertTrue(0 < report["mean_kl"] <= report["mean_kl_limit"] <= 1e-5)
        chosen = {}
        for variant in report["variants"]:
            self.expect_keys(variant, "op variant verdict max_error_ratio time_us chosen why")
            self.assertIn(variant["verdict"], ("ok", "unsupported"), variant)
            self.assertRegex(variant["why"], "^chosen: |^slower: |^not timed: |^only where " if variant["verdict"] == "ok" else "^needs [a-z0-9_]+: ")
            self.assertEqual(variant["chosen"], variant["why"].startswith("chosen"), variant)
            if variant["verdict"] == "ok":
                self.assertTrue(0 <= variant["max_error_ratio"] <= 1, variant)
            chosen.setdefault((variant["op"], variant["tokens"]), []).append(variant)
        self.assertIn(("matvec_q8_0", "1"), chosen)
        self.assertNotIn(("matvec_q4_0", "1"), chosen)
        for where, variants in chosen.items():
            self.assertEqual(sum(variant["chosen"] for variant in variants), 1, where)
            times = [variant["time_us"] for variant in variants if variant["time_us"]]
            for variant in variants:
                if variant["chosen"] and len(times) > 1:
                    self.assertLessEqual(variant["time_us"] * 0.95, min(times), where)
        self.refused(1, ["Q9_9"], "doctor", "--type", "Q9_9")

    def expect_report(self, file, report):
        with open(file, encoding="utf-8") as lines:
            text = lines.read()
        for words in (report["device"], report["driver_version"], report["version"], "verdict: ok", "max_storage_range: ", "subgroup_size: ",
                      "MESA_TEST_NOTE=~/x:~/y", "* matvec_q8_0 ", "mean_kl: "):
            self.assertIn(words, text)
        for name in ("jane.doe", "john.roe"):
            self.assertNotIn(name, text)

    def test_doctor_compile(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "XDG_CACHE_HOME": home}
            report = json.loads(self.works("doctor", "--compile", "--json", timeout=300, env=environment).stdout)
        self.expect_keys(report, "device driver verdict mean_kl variants")
        self.assertEqual(report["verdict"], "ok")
        chosen = set()
        for variant in report["variants"]:
            self.expect_keys(variant, "op variant verdict max_error_ratio time_us chosen registers spills shared_bytes occupancy "
                                      "instructions")
            self.assertEqual(variant["verdict"], "ok", variant)
            if variant["chosen"]:
                chosen.update(variant["op"].split(","))
        self.assertLessEqual({"matvec_q4_1", "matmul_q4_1", "matmul_swiglu_q8_0", "embed_f16", "attention", "rope_store"}, chosen)
        choices = {(choice["op"], choice["tokens"]): choice["variant"] for choice in report["choices"] if choice["chosen"]}
        self.assertLessEqual({("matvec_q4_1", "1"), ("matmul_q4_1", "many"), ("attention", "many")}, set(choices))
        self.assertTrue(all(choice["why"] for choice in report["choices"]))
        self.assertEqual(report["quirks"], [])

    def test_bench(self):
        bench = json.loads(self.works("bench", *"--shape 260k --type Q4_0 -p 8 -n 4 -r 2 -d 16,0 --ops --json".split()).stdout)
        self.assertEqual([run["depth"] for run in bench["runs"]], [16, 0])
        for run in [bench] + bench["runs"]:
            self.expect_keys(run, "device driver model n_layer depth repeats commit prefill_tokens prefill_tokens_per_s "
                             "prefill_gflop_per_s decode_tokens decode_tokens_per_s decode_gb_per_s prefill_tokens_per_s_min "
                             "prefill_tokens_per_s_max decode_tokens_per_s_min decode_tokens_per_s_max read_peak_gb_per_s "
                             "multiply_peak_gflop_per_s decode_percent_of_peak prefill_percent_of_peak dispatches_per_token "
                             "barriers_per_token host_us_per_token load_ms first_token_ms pipelines device_bytes plan_bytes")
            self.assertTrue(4 < run["pipelines"] <= 40, run["pipelines"])
            self.assertEqual((run["prefill_tokens"], run["decode_tokens"], run["repeats"]), (8, 4, 2))
            for phase in ("prefill", "decode"):
                least, median, most = (run[phase + "_tokens_per_s" + end] for end in ("_min", "", "_max"))
                self.assertTrue(0 < least <= median <= most)
                ops = run[phase + "_ops"]
                moved, *ops = ops
                self.assertEqual(moved["op"], "copies, fills")
                self.assertEqual([op["op"] for op in ops], "embed norm+qkv rope+store attention output norm+swiglu down "
                                 "norm+logits".split())
                for op in ops:
                    self.assertTrue(op["dispatches"] > 0 and op["bytes"] > 0, op)
                    if op["device_ms"] is None:
                        continue
                    self.assertTrue(op["percent_of_peak"] is None or 0 < op["percent_of_peak"] <= 100, op)
                    self.assertTrue(0 < op["device_ms_min"] <= op["device_ms"] <= op["device_ms_max"], op)
            self.assertEqual(sum(op["dispatches"] for op in run["decode_ops"][1:]), run["dispatches_per_token"])
        self.assertEqual(bench["decode_tokens_per_s"], bench["runs"][0]["decode_tokens_per_s"])


class Tokens(Case):
    def test_any_bytes_come_back(self):
        random.seed(1)
        texts = [b"", b" ", b"\n", b"Hello, world!\n", "한국어 🙂 café ▁ x".encode(), b"<s></s><|endoftext|>", b"  a  b\t\r\n\n",
                 bytes(random.randrange(1, 256) for _ in range(3000))]
        for vocabulary in VOCABULARIES + [MODEL]:
            self.assertTrue(os.path.exists(vocabulary), vocabulary)
            for text in texts:
                ids = self.works("tokenize", "-m", vocabulary, "--no-bos", stdin=text).stdout
                self.assertRegex(ids, rb"^(\d+( \d+)*)?\n$")
                self.assertEqual(self.works("detokenize", "-m", vocabulary, stdin=ids).stdout, text, vocabulary)

    def test_zeros_come_back(self):
        for vocabulary in VOCABULARIES:
            ids = self.works("tokenize", "-m", vocabulary, "--no-bos", stdin=b"a\0\0b").stdout
            self.assertEqual(self.works("detokenize", "-m", vocabulary, stdin=ids).stdout, b"a\0\0b")

    def test_bos_and_special(self):
        llama = VOCABULARIES[1]
        count = lambda *args, **how: self.works("tokenize", "-m", llama, *args, **how).stdout.split()
        self.assertEqual(count(stdin=b"x")[0], b"1")
        self.assertNotIn(b"1", count("--no-bos", stdin=b"x<s>"))
        self.assertIn(b"1", count("--no-bos", "--special", stdin=b"x<s>"))
        self.assertEqual(self.works("detokenize", "-m", llama, stdin=b"1 2").stdout, b"")
        self.assertEqual(self.works("detokenize", "-m", llama, "--special", stdin=b"1 2").stdout, b"<s></s>")

    def test_bad_ids(self):
        for ids, words in ((b"1 x", ["x", "expected"]), (b"-1", ["-1", "expected"]), (b"99999999", ["99999999"]),
                           (b"1 2.5", ["2.5", "expected"]), (b"1 2\0003", ["token 1", "expected"])):
            self.refused(1, words, "detokenize", "-m", MODEL, stdin=ids)

    def test_logits(self):
        with tempfile.TemporaryDirectory() as folder:
            ids, out = os.path.join(folder, "ids"), os.path.join(folder, "out")
            with open(ids, "w") as file:
                file.write("1 403 407\n261 378")
            self.works("logits", "-m", MODEL, "--tokens", ids, "-o", out)
            with open(out, "rb") as file:
                whole = file.read()
            self.assertEqual(len(whole), 5 * 512 * 4)
            self.refused(1, ["/nonexistent/x"], "logits", "-m", MODEL, "--tokens", ids, "-o", "/nonexistent/x")
            for text in ("", "600", "1 two"):
                with open(ids, "w") as file:
                    file.write(text)
                self.refused(1, ["expected"], "logits", "-m", MODEL, "--tokens", ids, "-o", out)


class BadFiles(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "bad.gguf")

    def refuses(self, words, change, usual=("expected", "got")):
        gguf = Gguf(MODEL)
        change(gguf)
        gguf.save(self.path)
        return self.refused(1, [self.path, *usual, *words], "run", "-m", self.path, "-p", "x", "-n", 1, "--temp", 0)

    def test_unchanged(self):
        Gguf(MODEL).save(self.path)
        self.works("run", "-m", self.path, "-p", "x", "-n", 1, "--temp", 0)

    def test_truncated(self):
        gguf = Gguf(MODEL)
        for n in (0, 3, 10, 30, 1000, gguf.header_bytes - 1, gguf.header_bytes, len(gguf.bytes) // 2, len(gguf.bytes) - 1):
            with open(self.path, "wb") as file:
                file.write(gguf.bytes[:n])
            self.refused(1, [self.path], "run", "-m", self.path, "-p", "x", "-n", 1)
            self.refused(1, [self.path], "info", self.path)

    def test_flipped_bits(self):
        gguf = Gguf(MODEL)
        random.seed(2)
        n_refused = 0
        for _ in range(40):
            damaged = bytearray(gguf.bytes)
            at = random.randrange(gguf.header_bytes)
            damaged[at] ^= 1 << random.randrange(8)
            with open(self.path, "wb") as file:
                file.write(damaged)
            done = pumice("tokenize", "-m", self.path, stdin=b"Once upon a time")
            self.assertIn(done.returncode, (0, 1), (at, done.stderr))
            self.assertEqual(done.stderr.count(b"pumice: error: "), done.returncode, (at, done.stderr))
            n_refused += done.returncode
        self.assertGreater(n_refused, 0)

    def test_architecture(self):
        self.refuses(["mamba", "llama"], lambda g: g.set_string("general.architecture", "mamba"))

    def test_missing_tensor(self):
        def change(g):
            g.tensors.remove(g.tensor("blk.3.attn_q.weight"))
        self.refuses(["blk.3.attn_q.weight"], change)

    def test_wrong_shape(self):
        def change(g):
            g.tensor("blk.2.ffn_up.weight").dims.reverse()
        self.refuses(["blk.2.ffn_up.weight", "172", "64"], change)

    def test_unknown_type(self):
        def change(g):
            g.tensor("blk.1.ffn_down.weight").type = 99
        self.refuses(["blk.1.ffn_down.weight", "99"], change)

    def test_type_that_does_not_run(self):
        def change(g):
            g.tensor("blk.1.attn_q.weight").type = 6
        self.refuses(["blk.1.attn_q.weight", "Q5_0"], change, ["cannot be used", "choose a"])

    def test_value_that_is_no_number(self):
        def change(g):
            at = g.tensor("blk.1.ffn_down.weight").offset + 4 * 1000
            g.data = g.data[:at] + b"\x00\x00\xc0\x7f" + g.data[at + 4:]
        self.refuses(["blk.1.ffn_down.weight", "value 1000", "damaged"], change)

    def test_bias(self):
        self.refuses(["blk.0.attn_q.bias"], lambda g: g.add_tensor("blk.0.attn_q.bias", [64], 256), ["choose a"])

    def test_numbers_of_the_header(self):
        for key, value in (("llama.block_count", 6), ("llama.block_count", 0), ("llama.attention.head_count", 7),
                           ("llama.attention.head_count_kv", 3), ("llama.embedding_length", 0),
                           ("llama.feed_forward_length", 1 << 31), ("llama.context_length", 0)):
            gguf = Gguf(MODEL)
            gguf.set_u32(key, value)
            gguf.save(self.path)
            self.refused(1, ["expected"], "run", "-m", self.path, "-p", "x", "-n", 1)


class Cache(Case):
    """What is kept between runs may go or break at any time."""

    def test_deleted_and_damaged(self):
        common = ("run", "-m", MODEL, "-p", "Once", "--temp", 0, "-n", 4, "--no-tune")
        expected = self.works(*common).stdout
        with tempfile.TemporaryDirectory() as home:
            kept = os.path.join(home, "pumice")
            environment = {**os.environ, "XDG_CACHE_HOME": home}
            self.assertEqual(self.works(*common, env=environment).stdout, expected)
            names = os.listdir(kept)
            self.assertTrue(any(name.startswith("pipelines-") for name in names), names)
            for damage in (b"", b"pumice cache 1\n", os.urandom(5000)):
                for name in names:
                    with open(os.path.join(kept, name), "wb") as file:
                        file.write(damage)
                self.assertEqual(self.works(*common, env=environment).stdout, expected)
                self.assertEqual(sorted(os.listdir(kept)), sorted(names))
        for nowhere in ("/proc/nowhere", "/dev/null", "not absolute"):
            self.assertEqual(self.works(*common, env={**os.environ, "XDG_CACHE_HOME": nowhere, "HOME": "/proc"}).stdout, expected)


class DefaultModel(Case):
    def test_one_question(self):
        done = self.works("run", "--chat", "-p", "What is the capital of France?", "--temp", 0)
        self.assertEqual(done.stdout, b"The capital of France is Paris.\n")

    def test_system_turn(self):
        question = ("run", "--chat", "-p", "Who are you?", "--temp", 0, "-n", 12)
        template_own = self.works(*question).stdout
        self.assertNotEqual(template_own, self.works(*question, "--system", "You are a pirate called Bill.").stdout)

    def test_chat_from_a_pipe(self):
        done = self.works("chat", "--temp", 0, "-n", 16, stdin=b"Hello\n")
        self.assertGreater(len(done.stdout.strip()), 5)
        self.assertEqual(self.works("chat", "--temp", 0, "-n", 16, stdin=b"/new\nHello").stdout, done.stdout)
        self.assertEqual(self.works("chat", "--temp", 0, "-n", 16, stdin=b"/quit\nHello\n").stdout, b"")

    def test_full_context(self):
        turns = ["Tell me about %s." % animal for animal in ("cats", "dogs", "birds", "fish", "cows")]
        done = self.works("chat", "--temp", 0, "--ctx", 256, "-n", 40, stdin="\n".join(turns).encode(), timeout=240)
        answers = done.stdout.decode().strip().split("\n")
        self.assertGreaterEqual(len(answers), len(turns))
        self.assertIn(b"the context is full: the oldest", done.stderr)
        self.assertIn("Cow", done.stdout.decode())

    def test_chat_goes_on_on_another_device(self):
        """A device that is unplugged in the middle of an answer; typed at a terminal, where an error ends nothing."""
        layers = os.path.join(os.path.dirname(os.path.abspath(PUMICE)), "tests/layers")
        environment = {"VK_LAYER_PATH": layers, "VK_INSTANCE_LAYERS": "VK_LAYER_PUMICE_test", "NODEVICE_SELECT": "1",
                       "PUMICE_LAYER": "vanish=25,absent=2"}  # found again when it has been looked for twice
        chat = Terminal([PUMICE, "chat", "--temp", "0", "--ctx", "256", "-n", "12", "--no-tune"], {**os.environ, **environment})
        chat.read_until("> ")
        chat.type("Say hello.\n")
        said = chat.read_until("\n> ")
        self.assertIn("the device was lost and is not there any more", said)
        self.assertIn("/device", said)
        chat.type("/device no such device\n")
        self.assertIn("expected a Vulkan device, got none", chat.read_until("\n> "))
        chat.type("/device 0\n")
        self.assertIn("the chat goes on on ", chat.read_until("\n> "))
        chat.type("What is the capital of France?\n")
        self.assertIn("The capital of France is Paris.", chat.read_until("\n> "))
        chat.type("/device 99\n")
        self.assertIn('device "99": expected an index', chat.read_until("\n> "))
        chat.type("/quit\n")
        self.assertEqual(chat.wait(), 0)

    def test_message_over_the_context(self):
        done = pumice("chat", "--temp", 0, "--ctx", 256, "-n", 8, stdin=b"word " * 400 + b"\n")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"--ctx", done.stderr)


def main():
    default_only = sys.argv[3:] == ["default-model"]
    needed = [DEFAULT_MODEL] if default_only else [MODEL, *VOCABULARIES]
    for path in needed:
        if not os.path.exists(path):
            print("skipped: %s is not there" % path)
            return 77
    probe = pumice("devices", "--json")
    if probe.returncode != 0 or not any(device["used"] for device in json.loads(probe.stdout)):
        print("skipped: no Vulkan device here: %s" % probe.stderr.decode().strip())
        return 77
    cases = [DefaultModel] if default_only else [Run, Usage, Json, Tokens, BadFiles, Cache]
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(unittest.TestSuite(map(load, cases)))
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
