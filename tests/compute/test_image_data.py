"""Bytes of images: up, down, checked on the way, cut off, staged, imported."""
import base64
import hashlib
import http.server
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

import pytest

from tests.compute.conftest import service
from tests.harness.cluster import ROOT
from tests.harness.ports import PortBlock

DATA = random.Random(7).randbytes(3 * (1 << 20) + 12345)        # the same in every process


def make(one, disk_format="raw", **fields):
    return one.create(disk_format=disk_format, container_format="bare", **fields)["id"]


def objects(cluster, image):
    """Names of the image's objects in the store, as the service's own user sees them."""
    if hasattr(cluster, "image_objects"):       # another store: test_image_swift.py
        return cluster.image_objects(image)
    res = cluster.client("admin").get("/v1/AUTH_service/images-data", query={
        "prefix": image, "format": "json"})
    return [o["name"] for o in res.json] if res.status == 200 else []


def check(one, image, data):
    doc = one.show(image)
    assert doc["status"] == "active" and doc["size"] == len(data)
    assert doc["checksum"] == hashlib.md5(data).hexdigest()
    assert doc["os_hash_algo"] == "sha512"
    assert doc["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert doc["stores"] == "swift"
    res = one.get("images/%s/file" % image)
    assert res.status == 200 and res.body == data
    assert res.headers["Content-Type"] == "application/octet-stream"
    assert res.headers["Content-MD5"] == doc["checksum"]
    return doc


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, (1 << 20) + 1, len(DATA)])
@pytest.mark.parametrize("chunked", [False, True])
def test_upload(one, compute_cluster, size, chunked):
    image, data = make(one), DATA[:size]
    assert one.get("images/%s/file" % image).status == 204
    pieces = [data[i:i + 100000] for i in range(0, size, 100000)]
    one.upload(image, iter(pieces) if chunked else data)
    doc = check(one, image, data)
    assert doc["virtual_size"] == size
    # Segments of 1 MiB here, and a manifest when there are several.
    segments = max(1, -(-size // (1 << 20)))
    assert len(objects(compute_cluster, image)) == (segments if segments == 1 else segments + 1)
    one.upload(image, b"again", status=409)
    check(one, image, data)
    assert one.delete("images/" + image).status == 204
    compute_cluster.wait_for(lambda: objects(compute_cluster, image) == [])


def test_ranges(one):
    image = make(one)
    one.upload(image, DATA)
    path, n = "images/%s/file" % image, len(DATA)
    for text, first, last in (("0-0", 0, 0), ("10-19", 10, 19), ("-5", n - 5, n - 1),
                              ("1048570-1048590", 1048570, 1048590), ("3000000-", 3000000, n - 1),
                              ("5-%d" % (2 * n), 5, n - 1)):
        res = one.get(path, headers={"Range": "bytes=" + text})
        assert res.status == 206 and res.body == DATA[first:last + 1], text
        assert res.headers["Content-Range"] == "bytes %d-%d/%d" % (first, last, n)
        assert "Content-MD5" not in res.headers
    res = one.get(path, headers={"Range": "bytes=%d-" % n})
    assert res.status == 416 and res.headers["Content-Range"] == "bytes */%d" % n
    for text in ("bytes=0-1,5-6", "bytes=x", "lines=1-2"):
        assert one.get(path, headers={"Range": text}).status == 200
    res = one.head(path)
    assert res.status == 200 and res.headers["Content-Length"] == str(n)


def test_deactivated(one, admin):
    image = make(one)
    one.upload(image, b"bytes")
    assert one.post("images/%s/actions/deactivate" % image).status == 204
    assert one.post("images/%s/actions/deactivate" % image).status == 204
    assert one.show(image)["status"] == "deactivated"
    assert one.get("images/%s/file" % image).status == 403
    assert admin.get("images/%s/file" % image).body == b"bytes"
    assert one.post("images/%s/actions/reactivate" % image).status == 204
    check(one, image, b"bytes")


def test_formats_are_fixed_then(one):
    image = make(one)
    one.upload(image, b"x")
    one.patch(image, {"op": "replace", "path": "/disk_format", "value": "iso"}, status=403)
    one.patch(image, {"op": "replace", "path": "/disk_format", "value": "raw"})


def test_refused_before_a_byte(one):
    image = one.create()["id"]
    one.upload(image, b"x", status=400)         # no formats yet
    image = make(one)
    one.upload(image, b"x", status=415, headers={"Content-Type": "text/plain"})
    one.upload(image, b"x", status=400, headers={"X-OpenStack-Image-Size": "2"})
    one.upload(image, b"x", status=400, headers={"X-OpenStack-Image-Size": "many"})
    one.upload(image, iter([b"x"]), status=400, headers={"X-OpenStack-Image-Size": "2"})
    assert one.show(image)["status"] == "queued"
    one.upload(image, iter([b"xy"]), headers={"X-OpenStack-Image-Size": "2"})
    one.upload(str(uuid.uuid4()), b"x", status=404)


def test_checksum(one, compute_cluster):
    image, right = make(one), hashlib.md5(DATA)
    for wrong in ("0" * 32, base64.b64encode(b"x" * 16).decode(), "x", base64.b64encode(b"x")):
        one.upload(image, DATA, status=400, headers={"Content-MD5": wrong})
        assert one.show(image)["status"] == "queued" and objects(compute_cluster, image) == []
    one.upload(image, DATA, headers={"Content-MD5": base64.b64encode(right.digest()).decode()})
    check(one, image, DATA)
    one.upload(make(one), DATA, headers={"Content-MD5": right.hexdigest()})


def test_too_large(one, compute_cluster):
    """image_size_cap is 200 MiB here."""
    image = make(one)
    with socket.create_connection((one.host, one.port)) as s:
        s.sendall(b"PUT /v2/images/%s/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n"
                  b"Content-Type: application/octet-stream\r\nContent-Length: 209715201\r\n"
                  b"Expect: 100-continue\r\n\r\n" % (image.encode(), one.token.encode()))
        assert s.recv(1000).startswith(b"HTTP/1.1 413")
    compute_cluster.wait_for(lambda: one.show(image)["status"] == "queued")


def test_quota(make_compute):
    cluster = make_compute(image="project_quota = 1MiB")
    one = service(cluster, "one")
    first, second = make(one), make(one)
    one.upload(first, b"x" * 1000000)
    one.upload(second, b"x" * 100000, status=413)
    one.upload(second, iter([b"x" * 10000] * 10), status=413)
    assert one.show(second)["status"] == "queued" and objects(cluster, second) == []
    one.upload(second, b"x" * 10000)
    usage = one.get("info/usage").json["usage"]["image_size_total"]
    assert usage == {"quota": 1 << 20, "usage": 1010000}
    two = service(cluster, "two")
    two.upload(make(two), b"x" * 1000000)


def cut_off(one, image, head, bytes_sent):
    s = socket.create_connection((one.host, one.port))
    s.sendall(b"PUT /v2/images/%s/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n"
              b"Content-Type: application/octet-stream\r\n%s\r\n\r\n"
              % (image.encode(), one.token.encode(), head))
    s.sendall(bytes_sent)
    return s


@pytest.mark.parametrize("head", [b"Content-Length: 5000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("hard", [False, True])
def test_cut_off(one, compute_cluster, head, hard):
    """The image is queued again, its segments are gone, and it can be uploaded."""
    image, data = make(one), DATA[:2500000]
    if b"chunked" in head:
        data = b"%x\r\n%s\r\n" % (len(data), data)
    s = cut_off(one, image, head, data)
    compute_cluster.wait_for(lambda: one.show(image)["status"] == "saving")
    compute_cluster.wait_for(lambda: len(objects(compute_cluster, image)) >= 1)
    if hard:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    compute_cluster.wait_for(lambda: one.show(image)["status"] == "queued")
    # One that the store had whole when the connection was closed may come late.
    compute_cluster.wait_for(lambda: objects(compute_cluster, image) == [])
    one.upload(image, DATA)
    check(one, image, DATA)


def test_second_upload_meanwhile(one, compute_cluster):
    image = make(one)
    s = cut_off(one, image, b"Content-Length: 10", b"12345")
    compute_cluster.wait_for(lambda: one.show(image)["status"] == "saving")
    one.upload(image, b"other", status=409)
    s.sendall(b"67890")
    assert s.recv(1000).startswith(b"HTTP/1.1 204")
    s.close()
    check(one, image, b"1234567890")


def test_deleted_meanwhile(one, compute_cluster):
    image = make(one)
    s = cut_off(one, image, b"Content-Length: 3000000", DATA[:2900000])
    compute_cluster.wait_for(lambda: one.show(image)["status"] == "saving")
    assert one.delete("images/" + image).status == 204
    s.sendall(DATA[2900000:3000000])
    assert s.recv(1000).startswith(b"HTTP/1.1 410")
    s.close()
    compute_cluster.wait_for(lambda: objects(compute_cluster, image) == [])
    one.show(image, status=404)


def test_killed_meanwhile(make_compute):
    """An upload that ended with the process is found when it is started again."""
    cluster = make_compute(image="segment_size = 1MiB")
    one = service(cluster, "one")
    image, kept = make(one), make(one)
    one.upload(kept, DATA)
    s = cut_off(one, image, b"Content-Length: 5000000", DATA[:2500000])
    cluster.wait_for(lambda: len(objects(cluster, image)) >= 1)
    cluster.kill("needletail-compute: ")
    s.close()
    one.close()

    def queued():
        try:
            return one.show(image)["status"] == "queued"
        except ConnectionError:
            return False
    cluster.wait_for(queued)
    assert objects(cluster, image) == []
    check(one, kept, DATA)


# ---- formats ----

def qcow2(size=1 << 30, version=3, backing=0, incompatible=0, autoclear=0, extensions=b"", bits=16):
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 8 if backing else 0, bits,
                       size, 0, 0, 0, 0, 0, 0, 0)
    if version == 3:
        head += struct.pack(">QQQII", incompatible, 0, autoclear, 4, 104)
    return (head + extensions).ljust(1 << 16, b"\0") + b"\0" * 1000


def vmdk(kind="monolithicSparse", more="parentCID=ffffffff\n", at=1):
    text = ("# Disk DescriptorFile\nversion=1\n%screateType=\"%s\"\n" % (more, kind)).encode()
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 2048, 128, at, 20)
    return (head.ljust(512 * at, b"\0") + text).ljust(512 * 21, b"\0") + b"\0" * 70000


def vhd(kind=3, fixed=False):
    footer = struct.pack(">8sIIQIIIIQQII", b"conectix", 2, 0x10000, 512, 0, 0, 0, 0, 4096, 4096, 0,
                         kind).ljust(512, b"\0")
    return b"\0" * 70000 + footer if fixed else footer + b"\0" * 70000


def iso():
    pvd = bytearray(2048)
    pvd[0:6], pvd[80:84], pvd[128:130] = b"\1CD001", struct.pack("<I", 50), struct.pack("<H", 2048)
    return b"\0" * 32768 + bytes(pvd) + b"\0" * 70000


def vdi(kind=1):
    head = bytearray(512)
    head[0x40:0x44], head[0x4c:0x50] = struct.pack("<I", 0xbeda107f), struct.pack("<I", kind)
    head[0x170:0x178] = struct.pack("<Q", 7777)
    return bytes(head) + b"\0" * 70000


@pytest.mark.parametrize("disk_format,data,virtual_size", [
    ("qcow2", qcow2(), 1 << 30), ("qcow2", qcow2(version=2), 1 << 30),
    ("qcow2", b"not one", 7), ("vmdk", vmdk(), 2048 * 512), ("vhd", vhd(), 4096),
    ("vhd", vhd(2, fixed=True), 4096), ("iso", iso(), 50 * 2048), ("raw", iso(), 50 * 2048),
    ("vdi", vdi(), 7777), ("raw", b"plain", 5), ("ami", qcow2(), 1 << 30),
], ids=str)
def test_formats(one, disk_format, data, virtual_size):
    image = make(one, disk_format)
    one.upload(image, data)
    assert check(one, image, data)["virtual_size"] == virtual_size


HOSTILE = {
    "backing file": qcow2(backing=200), "old backing file": qcow2(version=2, backing=200),
    "data file": qcow2(incompatible=4), "raw external": qcow2(autoclear=2),
    "data file extension": qcow2(extensions=struct.pack(">II8s", 0x44415441, 8, b"/etc/xyz")),
    "backing format": qcow2(extensions=struct.pack(">II8s", 0xE2792ACA, 3, b"raw")),
    "unknown feature": qcow2(incompatible=1 << 40), "version 1": qcow2(version=1),
    "cluster size": qcow2(bits=40), "cut off": qcow2()[:50],
    "flat vmdk": vmdk("monolithicFlat"), "vmdk parent": vmdk(more="parentCID=12345678\n"),
    "vmdk parent file": vmdk(more='parentFileNameHint="/etc/passwd"\n'),
    "far descriptor": vmdk(at=1).replace(struct.pack("<QQ", 1, 20), struct.pack("<QQ", 500, 20)),
    "vmdk text": b"# Disk DescriptorFile\nversion=1\nRW 1 FLAT \"/etc/passwd\" 0\n",
    "vmdk hidden text": b"#\n#\n\nversion=1\ncreateType=x\n", "vhd parent": vhd(4),
    "vdi parent": vdi(4), "qed": b"QED\0" + b"\0" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_hostile(one, compute_cluster, name, disk_format):
    """Whatever it is declared as: who opens it by what it looks like would read another file."""
    image = make(one, disk_format)
    res = one.upload(image, HOSTILE[name], status=415)
    assert b"image" in res.body or b"header" in res.body or b"descriptor" in res.body
    doc = one.show(image)
    assert doc["status"] == "queued" and doc["size"] is None
    assert objects(compute_cluster, image) == []


@pytest.mark.parametrize("disk_format,data", [
    ("raw", qcow2()), ("vmdk", qcow2()), ("qcow2", vmdk()), ("iso", vdi()), ("raw", vhd(2, True))])
def test_other_format(one, disk_format, data):
    image = make(one, disk_format)
    one.upload(image, data, status=415)
    assert one.show(image)["status"] == "queued"


def test_strict_formats(make_compute):
    one = service(make_compute(image="require_format_match = yes"), "one")
    one.upload(make(one, "qcow2"), b"not one", status=415)
    one.upload(make(one, "qcow2"), qcow2())


# ---- import ----

def test_stage_and_import(one, compute_cluster):
    image = make(one)
    path = "images/%s" % image
    assert one.send("POST", path + "/import", {"method": {"name": "glance-direct"}}).status == 409
    res = one.put(path + "/stage", DATA, headers={"Content-Type": "application/octet-stream"})
    assert res.status == 204
    doc = one.show(image)
    assert doc["status"] == "uploading" and doc["size"] is None
    assert one.get(path + "/file").status == 204
    one.upload(image, b"x", status=409)
    res = one.send("POST", path + "/import", {"method": {"name": "glance-direct"}})
    assert res.status == 202
    check(one, image, DATA)
    tasks = one.get(path + "/tasks").json["tasks"]
    assert [t["status"] for t in tasks] == ["success", "failure"]
    assert tasks[0]["image_id"] == image and tasks[0]["type"] == "api_image_import"
    assert one.get("tasks").status == 403
    admin = service(compute_cluster, "admin")
    assert tasks[0]["id"] in [t["id"] for t in admin.get("tasks").json["tasks"]]
    assert admin.get("tasks/" + tasks[0]["id"]).json["status"] == "success"
    assert admin.get("tasks/none").status == 404


def test_stage_hostile(one):
    image = make(one, "qcow2")
    res = one.put("images/%s/stage" % image, HOSTILE["backing file"],
                  headers={"Content-Type": "application/octet-stream"})
    assert res.status == 415 and one.show(image)["status"] == "queued"


@pytest.mark.parametrize("body,status", [
    ({}, 400), ({"method": {}}, 400), ({"method": {"name": "other"}}, 400), ({"method": "x"}, 400),
    ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}}, 400),
    ({"method": {"name": "glance-direct"}, "stores": ["ceph"]}, 400),
    ({"method": {"name": "glance-direct"}, "stores": ["swift"], "all_stores": True}, 400),
    ({"method": {"name": "copy-image"}}, 409),
])
def test_bad_import(one, body, status):
    image = make(one)
    assert one.send("POST", "images/%s/import" % image, body).status == status


def test_copy_image(one):
    image = make(one)
    one.upload(image, b"x")
    res = one.send("POST", "images/%s/import" % image, {
        "method": {"name": "copy-image"}, "all_stores": True})
    assert res.status == 202
    check(one, image, b"x")


class Web(http.server.BaseHTTPRequestHandler):
    """Serves DATA at /good, and other things."""

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        body = {"/good": DATA, "/short": DATA, "/hostile": HOSTILE["backing file"]}.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[:100000] if self.path == "/short" else body or b"")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def web():
    """In a process of its own: what Swift's modules bring into this one (eventlet) may take over
    its threads, which then never run."""
    ports = PortBlock()
    serve = ("import http.server; from tests.compute import test_image_data as t; "
             "http.server.ThreadingHTTPServer(('127.0.0.1', %d), t.Web).serve_forever()")
    server = subprocess.Popen([sys.executable, "-c", serve % ports.first], cwd=ROOT)
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", ports.first), timeout=5).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < until
            time.sleep(0.05)
    yield "127.0.0.1:%d" % ports.first
    server.kill()
    server.wait()
    ports.release()


def test_web_download(make_compute, web):
    cluster = make_compute(image="web_download_hosts = example.com, %s" % web)
    one = service(cluster, "one")
    assert "web-download" in one.get("info/import").json["import-methods"]["value"]

    def fetch(uri, disk_format="raw", status=202):
        image = make(one, disk_format)
        res = one.send("POST", "images/%s/import" % image, {
            "method": {"name": "web-download", "uri": uri}})
        assert res.status == status, res
        if status != 202:
            return image, None
        cluster.wait_for(lambda: one.get("images/%s/tasks" % image).json["tasks"][0]["status"]
                         != "processing")
        return image, one.get("images/%s/tasks" % image).json["tasks"][0]

    image, task = fetch("http://%s/good" % web)
    assert task["status"] == "success", task
    check(one, image, DATA)
    for path, disk_format in (("none", "raw"), ("redirect", "raw"), ("short", "raw"),
                              ("hostile", "qcow2")):
        image, task = fetch("http://%s/%s" % (web, path), disk_format)
        assert task["status"] == "failure" and task["message"], path
        assert one.show(image)["status"] == "queued" and objects(cluster, image) == []
    port = web.rpartition(":")[2]
    for uri in ("http://127.0.0.2:%s/good" % port, "http://127.0.0.1:1/good",
                "http://127.0.0.1/good", "ftp://%s/good" % web, "file:///etc/passwd", "",
                "http://example.com@%s/good" % web, "http://localhost:%s/good" % port):
        assert fetch(uri, status=400)[1] is None, uri


@pytest.mark.skipif("address" in os.environ.get("NEEDLETAIL_BIN", ""),
                    reason="sanitizers have their own memory")
def test_memory_of_many_uploads(one, compute_cluster):
    """50 at once, all in the middle of their bytes."""
    uploads = [(image, cut_off(one, image, b"Content-Length: 4000000", b""))
               for image in (make(one, name="many") for _ in range(50))]
    data = os.urandom(4000000)

    def send(s, piece):
        s.sendall(piece)

    def each(piece):
        threads = [threading.Thread(target=send, args=(s, piece)) for _, s in uploads]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    each(data[:3900000])
    worker = compute_cluster.processes("needletail-compute: ")[0]
    assert worker.status_kib("VmRSS") < 100 * 1024
    each(data[3900000:])
    for image, s in uploads:
        assert s.recv(1000).startswith(b"HTTP/1.1 204")
        s.close()
    worker = compute_cluster.processes("needletail-compute: ")[0]
    assert worker.status_kib("VmHWM") < 100 * 1024
    doc = one.show(uploads[-1][0])
    assert doc["checksum"] == hashlib.md5(data).hexdigest()


def test_orphans(make_compute):
    """Objects of no image, as a process leaves them that is killed when its image is deleted."""
    cluster = make_compute(image="sweep_interval = 500ms\norphan_age = 100ms")
    one = service(cluster, "one")
    kept, gone = make(one), str(uuid.uuid4())
    one.upload(kept, DATA)
    admin = cluster.client("admin")
    for i in range(2):
        for image in (gone, kept):
            path = "/v1/AUTH_service/images-data/%s/x/%08d" % (image, i)
            assert admin.put(path, b"x").status == 201
    cluster.wait_for(lambda: objects(cluster, gone) == [])
    cluster.wait_for(lambda: not [o for o in objects(cluster, kept) if "/x/" in o])
    check(one, kept, DATA)
    admin.close()


def test_quota_counts_what_is_coming(make_compute):
    cluster = make_compute(image="project_quota = 1MiB")
    one = service(cluster, "one")
    first, second = make(one), make(one)
    s = cut_off(one, first, b"Content-Length: 1000000", b"x")
    cluster.wait_for(lambda: one.show(first)["status"] == "saving")
    one.upload(second, b"x" * 100000, status=413)
    s.close()
    cluster.wait_for(lambda: one.show(first)["status"] == "queued")
    one.upload(second, b"x" * 100000)
