"""Requests that are under way and do not get on, and what each of them costs the proxy in memory:
clients that stop sending or reading, and storage servers that stop answering."""
import collections
import hashlib
import hmac
import io
import json
import os
import selectors
import signal
import socket
import struct
import tarfile
import time

from tests.harness.client import Client

ROWS_AT_ONCE = 4000                     # objectd/updater/row_wire.h: ROWS_MAX
SEGMENTS, SEGMENT_BYTES, ENTRIES = 300, 32 << 10, 1000
BIG_BYTES, LISTED = 32 << 20, 10000
TAIL = "-" + "x" * 500                  # so that a listing does not fit a socket
RECEIVE_BUFFER = 8192
KEY = "key"

# name; method, path behind the account, header lines, body (less the end that is held back); when
# the storage servers stop: None, "before", or so many seconds after the requests began.
Kind = collections.namedtuple("Kind", "name method path headers body stop")


def _text(s):
    return struct.pack("<I", len(s)) + s.encode()


def _row(container, name, ticks):
    """objectd/updater/row_wire.c; a timestamp is hundred-thousandths of a second and an offset."""
    return (struct.pack("<IIIQQQQQQQ", 0, 0, 0, ticks, 0, 0, 0, 0, 0, 4096) + _text("AUTH_test") +
            _text(container) + _text(name) + _text("application/octet-stream") +
            _text("d41d8cd98f00b204e9800998ecf8427e"))


def fill(cluster, container, count, tail=""):
    """Rows name-00000000 … without objects, straight to the container servers."""
    devices = [Client(cluster.host, cluster.port + i) for i in (1, 2, 3, 4)]
    ticks = int(time.time() * 100000)
    for first in range(0, count, ROWS_AT_ONCE):
        body = b"".join(_row(container, "name-%08d%s" % (i, tail), ticks)
                        for i in range(first, min(first + ROWS_AT_ONCE, count)))
        took = 0
        for i, d in enumerate(devices):
            res = d.post("/d%d/0/.needletail/rows" % (i + 1), body,
                         headers={"Content-Type": "application/x-needletail-rows"})
            assert res.status == 200, res
            took += res.body[:3] == b"201"
        assert took == 3, "%d devices took the rows" % took
    for d in devices:
        d.close()


def _archive():
    """A tar of a file that is longer than what of it is sent."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("stalled")
        info.size = 4 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()[:300 << 10]


def _form(path):
    expires = int(time.time()) + 3600
    text = "%s\n%s\n%s\n%s\n%s" % (path, "", 1 << 30, 10, expires)
    values = {"max_file_size": 1 << 30, "max_file_count": 10, "expires": expires,
              "signature": hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()}
    parts = ["--B\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n" % v
             for v in values.items()]
    parts.append("--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"stalled\"\r\n\r\n")
    return "".join(parts).encode() + bytes(300 << 10)


def _temporary(path):
    expires = int(time.time()) + 3600
    sig = hmac.new(KEY.encode(), ("GET\n%d\n%s" % (expires, path)).encode(), hashlib.sha256)
    return "?temp_url_sig=%s&temp_url_expires=%d" % (sig.hexdigest(), expires)


def _manifest():
    return [{"path": "/mem/seg/%04d" % (i % SEGMENTS), "size_bytes": SEGMENT_BYTES,
             "etag": hashlib.md5(b"y" * SEGMENT_BYTES).hexdigest()} for i in range(ENTRIES)]


def prepare(cluster):
    """Stores what the requests are about."""
    c = cluster.client("tester")
    assert c.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY}).status == 204
    for name in ("mem", "rows"):
        assert c.put(name).status in (201, 202)
    fill(cluster, "rows", LISTED, TAIL)
    assert c.put("mem/big", (b"x" * (1 << 20) for _ in range(BIG_BYTES >> 20))).status == 201
    for i in range(SEGMENTS):
        assert c.put("mem/seg/%04d" % i, b"y" * SEGMENT_BYTES).status == 201
    assert c.put("mem/slo", json.dumps(_manifest()),
                 query={"multipart-manifest": "put"}).status == 201
    assert c.put("mem/dlo", b"", headers={"X-Object-Manifest": "mem/seg/"}).status == 201
    c.close()


def kinds(account="/v1/AUTH_test"):
    """All of them, for what prepare has stored."""
    sized, chunked = ["Content-Length: %d" % (1 << 30)], ["Transfer-Encoding: chunked"]
    manifest = json.dumps(_manifest()).encode()
    names = b"".join(b"/rows/none-%08d\n" % i for i in range(LISTED))
    plain = ["Content-Type: text/plain", "Content-Length: %d"]

    def get(what, path, *headers):
        return Kind(what, "GET", path, list(headers), b"", None)

    def chunks(n):
        return b"10000\r\n" + bytes(65536) + b"\r\n" if n == 1 else chunks(1) * n

    return [
        get("GET", "/mem/big"),
        get("GET of a range", "/mem/big", "Range: bytes=1000000-"),
        get("GET of several ranges", "/mem/big", "Range: bytes=0-9999999,10000001-30000000"),
        get("GET by a temporary URL", "/mem/big" + _temporary(account + "/mem/big"), "-"),
        get("GET of a static large object", "/mem/slo"),
        get("GET of its last parts", "/mem/slo", "Range: bytes=15000000-"),
        get("GET of a dynamic large object", "/mem/dlo"),
        get("JSON listing", "/rows?format=json"),
        get("XML listing", "/rows?format=xml"),
        Kind("PUT, 1 of 1,024 MiB sent", "PUT", "/mem/p", sized, bytes(1 << 20), None),
        Kind("PUT, 100 KiB of 1,024 MiB sent", "PUT", "/mem/p", sized, bytes(100 << 10), None),
        Kind("PUT, 200 of 250 KiB sent", "PUT", "/mem/p", ["Content-Length: 256000"],
             bytes(200 << 10), None),
        Kind("chunked PUT, 10 KiB sent", "PUT", "/mem/p", chunked,
             b"2800\r\n" + bytes(10240), None),
        Kind("chunked PUT, 320 KiB sent", "PUT", "/mem/p", chunked, chunks(5), None),
        Kind("PUT, servers stopped", "PUT", "/mem/p", sized, bytes(1 << 20), 0.02),
        Kind("PUT of a manifest", "PUT", "/mem/m?multipart-manifest=put",
             ["Content-Length: %d" % len(manifest)], manifest[:-1], None),
        Kind("PUT of a manifest, servers stopped", "PUT", "/mem/m?multipart-manifest=put",
             ["Content-Length: %d" % len(manifest)], manifest, 0.02),
        Kind("bulk delete", "POST", "?bulk-delete", [h % len(names) if "%" in h else h
             for h in plain], names[:-1], None),
        Kind("bulk delete, servers stopped", "POST", "?bulk-delete",
             [h % len(names) if "%" in h else h for h in plain], names, "before"),
        Kind("archive", "PUT", "/mem?extract-archive=tar", ["Content-Length: 4200000"],
             _archive(), None),
        Kind("form", "POST", "/mem/", ["Content-Type: multipart/form-data; boundary=B",
             "Content-Length: 4200000", "-"], _form(account + "/mem/"), None),
        Kind("COPY", "COPY", "/mem/big", ["Destination: mem/copy"], b"", 0.05),
        Kind("POST", "POST", "/mem/big", ["X-Object-Meta-A: b"], b"", "before"),
        Kind("HEAD", "HEAD", "/mem/big", [], b"", "before"),
        Kind("DELETE", "DELETE", "/mem/none", [], b"", "before"),
        Kind("recursive delete", "DELETE", "/rows?recursive=true", [], b"", 0.02),
    ]


class Held:
    """Connections that have sent this, as far as it is taken, and neither send nor read on."""

    def __init__(self, cluster, kind, count, token):
        account = "/v1/AUTH_test"
        lines = ["%s %s%s HTTP/1.1" % (kind.method, account, kind.path), "Host: x"]
        lines += [h for h in kind.headers if h != "-"]
        if "-" not in kind.headers:     # those have a signature
            lines.append("X-Auth-Token: " + token)
        self.sockets = []
        self.devices = [p for p in cluster.processes("needletail-objectd: ")]
        self.stopped = False
        try:
            if kind.stop == "before":
                self._signal(signal.SIGSTOP)
            self._send(cluster, "\r\n".join(lines + ["", ""]).encode() + kind.body, count)
            if kind.stop not in (None, "before"):
                time.sleep(kind.stop)
                self._signal(signal.SIGSTOP)
        except BaseException:
            self.close()
            raise

    def _signal(self, how):
        for p in self.devices:
            os.kill(p.pid, how)
        self.stopped = how == signal.SIGSTOP

    def _send(self, cluster, text, count):
        select = selectors.DefaultSelector()
        for _ in range(count):
            s = socket.socket()
            self.sockets.append(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            s.settimeout(5)
            s.connect((cluster.host, cluster.port))
            s.setblocking(False)
            select.register(s, selectors.EVENT_WRITE, memoryview(text))
        while select.get_map():
            events = select.select(0.3)
            if not events:          # nobody takes any more
                break
            for key, _ in events:
                try:
                    left = key.data[key.fileobj.send(key.data):]
                except BlockingIOError:
                    continue
                if left:
                    select.modify(key.fileobj, selectors.EVENT_WRITE, left)
                else:
                    select.unregister(key.fileobj)
        select.close()

    def close(self):
        for s in self.sockets:
            s.close()
        if self.stopped:
            self._signal(signal.SIGCONT)


def proxy_kib(cluster):
    return sum(p.status_kib() for p in cluster.processes("needletail-proxy: "))


def settled_kib(cluster, wait_s=5.0):
    """The proxy's memory, when it does not change any more."""
    end, last = time.monotonic() + wait_s, None
    while time.monotonic() < end:
        now = proxy_kib(cluster)
        if now == last:
            return now
        last = now
        time.sleep(0.25)
    return last


def kib_each(cluster, kind, count):
    """How much the proxy's workers grow for each of so many requests."""
    c = cluster.client("tester")
    token = c.token
    c.close()
    Held(cluster, kind, 8, token).close()   # what the first ones need for all
    before = settled_kib(cluster)
    held = Held(cluster, kind, count, token)
    try:
        return (settled_kib(cluster) - before) / count
    finally:
        held.close()
