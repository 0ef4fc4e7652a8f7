#!/usr/bin/env python3
"""A source of models for tests, well-behaved or not, as the first word of the path says: /BEHAVIOUR/NAME.

    model_server.py [FILE]    FILE: what it serves; without it bytes of no meaning

Prints one line: port, length and SHA-256 of what it serves, the SHA-256 of what /corrupt serves. Ends with its standard input.
/asked/NAME tells what was asked for under any path that ends in NAME: one line "first-byte validator" a request.
"""
import hashlib
import http.server
import random
import re
import sys
import threading
import time

MODEL = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else b"GGUF" + random.Random(3).randbytes(3_000_000)
BAD = len(MODEL) * 2 // 3
WRONG = MODEL[:BAD] + bytes([MODEL[BAD] ^ 1]) + MODEL[BAD + 1:]
OTHER = b"GGUF" + random.Random(4).randbytes(3_000_000)
SHA256 = hashlib.sha256(MODEL).hexdigest()
CUT = 700_000  # bytes after which an answer breaks off

asked = {}
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = re.sub(r"^http://[^/]*", "", self.path)  # as a proxy is asked
        behaviour, name = path.lstrip("/").split("/")[0], path.split("/")[-1]
        if behaviour == "asked":
            self.answer(200, "".join(line + "\n" for line in asked.get(name, [])).encode())
            return
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        with lock:
            lines = asked.setdefault(name, [])
            lines.append(f"{first.group(1) if first else 0} {self.headers.get('If-Range', '-')}")
            self.nth = len(lines)
        self.first = int(first.group(1)) if first else None
        self.rest = path[len(behaviour) + 1:]
        self.close_connection = True
        getattr(self, "do_" + behaviour)()

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self, content=MODEL, etag='"one"', ranges=True, honour=True, cut=None, pace=0, length=True, last_modified=None):
        """cut: bytes after which it breaks off; pace: seconds for 64 KiB; honour: whether it looks at If-Range."""
        first = self.first if ranges else None
        if first is not None and honour and self.headers.get("If-Range", etag or last_modified) not in (etag, last_modified):
            first = None
        if first is not None and first >= len(content):
            self.answer(416, Content_Range=f"bytes */{len(content)}")
            return
        self.send_response(200 if first is None else 206)
        if first is not None:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if etag:
            self.send_header("ETag", etag)
        if last_modified:
            self.send_header("Last-Modified", last_modified)
        body = content[first or 0:]
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[:cut]
        for at in range(0, len(body), 65536):
            self.wfile.write(body[at:at + 65536])
            time.sleep(pace)

    def do_good(self): self.serve()
    def do_norange(self): self.serve(ranges=False, cut=CUT if self.nth == 1 else None)
    def do_cut(self): self.serve(cut=CUT)
    def do_notag(self): self.serve(etag=None, cut=CUT if self.nth == 1 else None)
    def do_weak(self): self.serve(etag='W/"one"', cut=CUT if self.nth == 1 else None)
    def do_dated(self): self.serve(etag=None, last_modified="Sun, 06 Nov 1994 08:49:37 GMT", cut=CUT if self.nth == 1 else None)
    def do_corrupt(self): self.serve(WRONG)
    def do_slow(self): self.serve(pace=0.03)
    def do_short(self): self.serve(MODEL[:-1])
    def do_long(self): self.serve(MODEL + b"x")
    def do_other(self): self.serve(OTHER, cut=CUT)
    def do_nolength(self): self.serve(length=False)
    def do_html(self): self.answer(200, b"<html>Please log in</html>" * 100)
    def do_empty(self): self.answer(200)
    def do_missing(self): self.answer(404, b"<html>no such page</html>")
    def do_private(self): self.answer(403)
    def do_changing(self): self.serve(pace=0.03) if self.nth == 1 else self.serve(OTHER, '"two"')
    def do_changingbadly(self): self.serve(pace=0.03) if self.nth == 1 else self.serve(OTHER, '"two"', honour=False)
    def do_offset(self): self.serve(MODEL, cut=CUT) if self.nth == 1 else self.lie()
    def do_broken(self): self.answer(500) if self.nth <= 2 else self.serve()
    def do_busy(self): self.answer(503, Retry_After="1") if self.nth == 1 else self.serve()
    def do_tofile(self): self.answer(302, Location="file:///etc/passwd")
    def do_toftp(self): self.answer(302, Location="ftp://127.0.0.1/model")
    def do_loop(self): self.answer(302, Location=self.path)
    def do_hop(self): self.answer(302, Location=self.rest)
    def do_linked(self): self.answer(302, Location=self.rest, X_Linked_ETag=f'"{SHA256}"')

    def lie(self):
        """A part that is another one than was asked for."""
        if self.first is None:
            self.serve()
            return
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 5-{len(MODEL) - 1}/{len(MODEL)}")
        self.send_header("Content-Length", str(len(MODEL) - 5))
        self.end_headers()
        self.wfile.write(MODEL[5:])

    def do_stall(self):
        if self.nth > 1:
            self.serve()
            return
        self.send_response(200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(MODEL)))
        self.end_headers()
        self.wfile.write(MODEL[:CUT])
        time.sleep(20)

    def do_silent(self):
        time.sleep(20)

    def do_huge(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 60))
        self.end_headers()
        self.wfile.write(MODEL)

    def log_message(self, *args):
        pass

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):  # clients that go away are what this is for
        pass


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], len(MODEL), SHA256, hashlib.sha256(WRONG).hexdigest(), flush=True)
sys.stdin.read()
