"""Objects: storing, reading, ranges, conditions, metadata, expiry, deleting."""
import base64
import email.utils
import hashlib
import os
import re
import time
import uuid

import pytest

from tests.harness import swift

BIG = os.urandom(1 << 20) * 3 + b"tail"


@pytest.fixture
def path(container):
    return container + "/o"


def test_put_get_head(client, path):
    before = time.time()
    res = client.put(path, b"hello", headers={"Content-Type": "text/x-a"})
    assert res.status == 201 and res.body == b""
    assert res.headers["ETag"] == swift.md5(b"hello")
    modified = email.utils.parsedate_to_datetime(res.headers["Last-Modified"]).timestamp()
    assert before <= modified <= before + 3
    for method in ("GET", "HEAD"):
        got = client.request(method, path)
        assert got.status == 200
        assert got.body == (b"hello" if method == "GET" else b"")
        assert got.headers["Content-Length"] == "5"
        assert got.headers["Content-Type"] == "text/x-a"
        assert got.headers["ETag"] == swift.md5(b"hello")
        assert got.headers["Last-Modified"] == res.headers["Last-Modified"]
        assert got.headers["Accept-Ranges"] == "bytes"
        assert swift.is_timestamp(got.headers["X-Timestamp"])
        internal = ("x-backend", "x-needletail")
        assert not [k for k, _ in got.headers if k.lower().startswith(internal)]


@pytest.mark.parametrize("size", [0, 1, 4096, 65535, 65536, 262144, 262145, 1000000, len(BIG)])
@pytest.mark.parametrize("chunked", [False, True])
def test_sizes(client, path, size, chunked):
    data = BIG[:size]
    body = (data[i:i + 50000] for i in range(0, size, 50000)) if chunked else data
    res = client.put(path, body)
    assert res.status == 201 and res.headers["ETag"] == swift.md5(data)
    got = client.get(path)
    assert got.body == data and got.headers["Content-Length"] == str(size)
    assert client.head(os.path.dirname(path)).headers["X-Container-Bytes-Used"] == str(size)


@pytest.mark.parametrize("size", [10, 400000])
def test_etag_is_checked(client, path, size):
    data = BIG[:size]
    assert client.put(path, data, headers={"ETag": swift.md5(b"other")}).status == 422
    assert client.get(path).status == 404
    assert client.put(path, data, headers={"ETag": '"%s"' % swift.md5(data).upper()}).status == 201
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    right = base64.b64encode(hashlib.md5(data).digest()).decode()
    assert client.put(path, data, headers={"Content-MD5": wrong}).status == 422
    assert client.put(path, data, headers={"Content-MD5": right}).status == 201
    assert client.put(path, data, headers={"Content-MD5": "nonsense"}).status == 400


def test_overwrite_and_delete(client, path):
    client.put(path, b"one")
    assert client.put(path, b"three").status == 201
    assert client.get(path).body == b"three"
    assert client.delete(path).status == 204
    assert client.get(path).status == 404
    assert client.head(path).status == 404
    assert client.delete(path).status == 404
    assert client.put(path, b"again").status == 201
    assert client.get(path).body == b"again"


def test_without_container(client):
    path = "none-%s/o" % uuid.uuid4().hex
    assert client.put(path, b"x").status == 404
    assert client.put(path, BIG).status == 404
    for method in ("GET", "HEAD", "POST", "DELETE"):
        assert client.request(method, path).status == 404


def test_if_none_match_star(client, path):
    star = {"If-None-Match": "*"}
    assert client.put(path, b"first", headers=star).status == 201
    assert client.put(path, b"second", headers=star).status == 412
    assert client.put(path, BIG, headers=star).status == 412
    assert client.get(path).body == b"first"
    client.delete(path)
    assert client.put(path, BIG, headers=star).status == 201


def test_content_type(client, container):
    def type_of(name, **headers):
        assert client.put(container + "/" + name, b"x", headers=headers).status == 201
        return client.head(container + "/" + name).headers["Content-Type"]

    assert type_of("a.html") == "text/html"
    assert type_of("a.tar.gz") in ("application/x-tar", "application/gzip",
                                   "application/x-gtar-compressed")
    assert type_of("nothing") == "application/octet-stream"
    assert type_of("a.html", **{"Content-Type": "x/y; charset=z"}) == "x/y; charset=z"
    detect = {"Content-Type": "x/y", "X-Detect-Content-Type": "true"}
    assert type_of("b.html", **detect) == "text/html"
    res = client.put(container + "/o", b"x", headers={"Content-Type": "a/b; swift_bytes=1"})
    assert res.status == 400


def test_metadata(client, path):
    client.put(path, b"x", headers={
        "x-object-meta-one": "1", "X-Object-Meta-TWO": "2", "Content-Disposition": "attachment",
        "Content-Encoding": "gzip", "Cache-Control": "no-cache", "Content-Language": "de",
        "Expires": "never", "X-Robots-Tag": "noindex", "X-Other": "lost"})
    h = client.head(path).headers
    assert {("X-Object-Meta-One", "1"), ("X-Object-Meta-Two", "2")} <= set(h)
    assert h["Content-Disposition"] == "attachment" and h["Content-Encoding"] == "gzip"
    assert h["Cache-Control"] == "no-cache" and h["Content-Language"] == "de"
    assert h["Expires"] == "never" and h["X-Robots-Tag"] == "noindex"
    assert "X-Other" not in h
    res = client.post(path, headers={"X-Object-Meta-Three": "3", "Content-Type": "text/new"})
    assert res.status == 202
    h = client.head(path).headers
    assert h["X-Object-Meta-Three"] == "3" and h["Content-Type"] == "text/new"
    for gone in ("X-Object-Meta-One", "X-Object-Meta-Two", "Content-Disposition",
                 "Content-Encoding"):
        assert gone not in h
    client.post(path, headers={"X-Object-Meta-Four": ""})
    h = client.head(path).headers
    assert h["Content-Type"] == "text/new" and "X-Object-Meta-Three" not in h
    assert client.get(path).body == b"x"


@pytest.mark.parametrize("headers", [
    {"X-Object-Meta-" + "n" * 129: "v"},
    {"X-Object-Meta-N": "v" * 257},
    {"X-Object-Meta-": "v"},
    {"X-Object-Meta-N%d" % i: "v" for i in range(91)},
    {"X-Object-Meta-N%d" % i: "v" * 200 for i in range(30)},
    {"X-Delete-At": "yesterday"},
    {"X-Delete-At": "1"},
    {"X-Delete-After": "-1"},
    {"X-Delete-After": "soon"},
])
def test_bad_headers(client, path, headers):
    assert client.put(path, b"x", headers=headers).status == 400
    assert client.put(path, b"x").status == 201
    assert client.post(path, headers=headers).status == 400


def test_names(client, container):
    for name in ("a b", "a//b", "/lead", "trail/", "..", "ä/€", "new\nline", "%2f", "q?x=1#y",
                 "x" * 1024):
        p = swift.quote(container, name)
        assert client.put(p, name.encode()).status == 201
        assert client.get(p).body == name.encode()
        listed = client.get(container, query={"format": "json", "prefix": name}).json
        assert [i["name"] for i in listed] == [name]
        assert client.delete(p).status == 204
    assert client.put(container + "/" + "x" * 1025, b"").status == 400
    assert client.put(container + "/%ff", b"").status == 412
    assert client.put(container + "/%00", b"").status == 412


@pytest.mark.parametrize("header,status,want", [
    ("bytes=0-3", 206, b"0123"), ("bytes=5-", 206, b"56789"), ("bytes=-3", 206, b"789"),
    ("bytes=8-100", 206, b"89"), ("bytes=-100", 206, b"0123456789"), ("bytes=10-", 416, None),
    ("bytes=-0", 416, None), ("bytes=5-3", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789"),
    ("bytes=a-b", 200, b"0123456789"), ("bytes=20-30,1-1", 206, b"1"),
])
def test_ranges(client, path, header, status, want):
    client.put(path, b"0123456789")
    res = client.get(path, headers={"Range": header})
    assert res.status == status
    if want is not None:
        assert res.body == want
    if status == 206:
        content_range = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", res.headers["Content-Range"])
        first, last, size = content_range.groups()
        assert b"0123456789"[int(first):int(last) + 1] == want and size == "10"
    if status == 416:
        assert res.headers["Content-Range"] == "bytes */10"
    assert client.head(path, headers={"Range": header}).status == 200


def test_ranges_of_a_big_object(client, path):
    client.put(path, BIG)
    for first, last in ((0, 0), (65535, 65536), (1000000, 2999999), (len(BIG) - 5, len(BIG) - 1)):
        res = client.get(path, headers={"Range": "bytes=%d-%d" % (first, last)})
        assert res.status == 206 and res.body == BIG[first:last + 1]


def test_several_ranges(client, path):
    client.put(path, b"0123456789", headers={"Content-Type": "text/x-d"})
    res = client.get(path, headers={"Range": "bytes=0-1,4-5,-1"})
    assert res.status == 206
    boundary = re.fullmatch(r"multipart/byteranges; ?boundary=(\w+)",
                            res.headers["Content-Type"]).group(1)
    parts = res.body.split(b"--" + boundary.encode())
    assert [p.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n") for p in parts[1:-1]] == [b"01", b"45", b"9"]
    assert b"Content-Range: bytes 4-5/10" in parts[2] and b"Content-Type: text/x-d" in parts[2]
    assert len(res.body) == int(res.headers["Content-Length"])


def test_conditions(client, path):
    client.put(path, b"x")
    res = client.head(path)
    etag, modified = res.headers["ETag"], res.headers["Last-Modified"]
    old = "Sun, 06 Nov 1994 08:49:37 GMT"
    for method in ("GET", "HEAD"):
        def status(**headers):
            headers = {k.replace("_", "-"): v for k, v in headers.items()}
            return client.request(method, path, headers=headers).status

        assert status(If_Match=etag) == 200
        assert status(If_Match='"%s", "y"' % etag) == 200
        assert status(If_Match="*") == 200
        assert status(If_Match="other") == 412
        assert status(If_None_Match=etag) == 304
        assert status(If_None_Match="*") == 304
        assert status(If_None_Match="other") == 200
        assert status(If_Modified_Since=modified) == 304
        assert status(If_Modified_Since=old) == 200
        assert status(If_Modified_Since="nonsense") == 200
        assert status(If_Unmodified_Since=modified) == 200
        assert status(If_Unmodified_Since=old) == 412
    res = client.get(path, headers={"If-Match": "other", "Range": "bytes=0-0"})
    assert res.status == 412 and res.headers["ETag"] == etag
    assert client.get(path + "none", headers={"If-Match": "*"}).status == 412


def test_if_range(client, path):
    client.put(path, b"0123456789")
    etag = client.head(path).headers["ETag"]
    for tag, status in ((etag, 206), ("0" * 32, 200)):
        res = client.get(path, headers={"Range": "bytes=2-3", "If-Range": '"%s"' % tag})
        assert res.status == status


def test_expiry(client, path):
    assert client.put(path, b"x", headers={"X-Delete-After": "2"}).status == 201
    res = client.head(path)
    assert res.status == 200 and int(res.headers["X-Delete-At"]) > time.time() - 1
    time.sleep(3.1)
    for method in ("GET", "HEAD", "POST", "DELETE"):
        assert client.request(method, path).status == 404
    assert client.put(path, b"again").status == 201
    assert client.get(path).body == b"again"


def test_newest(client, path):
    client.put(path, b"old")
    client.put(path, b"new")
    res = client.get(path, headers={"X-Newest": "true"})
    assert res.status == 200 and res.body == b"new"
    assert client.head(path, headers={"X-Newest": "true"}).status == 200
    client.delete(path)
    assert client.get(path, headers={"X-Newest": "true"}).status == 404


def test_too_large(client, path, raw):
    head = ("PUT %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 5368709123\r\n"
            "Expect: 100-continue\r\n\r\n" % (client.path(path), client.token))
    raw.send(head)
    assert raw.response().status == 413


def test_continue_only_after_checks(cluster, client, container):
    """A final status comes instead of 100 Continue where the body does not matter."""
    client.put(container + "/there", b"x")
    for path, line, status in (("none-%s/o" % uuid.uuid4().hex, "", 404),
                               (container + "/o", "X-Object-Meta-: x\r\n", 400),
                               (container + "/" + "x" * 1025, "", 400),
                               (container + "/there", "If-None-Match: *\r\n", 412)):
        with cluster.raw() as r:
            r.send("PUT %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 4\r\n"
                   "Expect: 100-continue\r\n%s\r\n" % (client.path(path), client.token, line))
            assert r.head().status == status
    with cluster.raw() as r:
        r.send("PUT %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 4\r\n"
               "Expect: 100-continue\r\n\r\n" % (client.path(container + "/o"), client.token))
        assert r.head().status == 100
        r.send(b"body")
        assert r.response().status == 201
    assert client.get(container + "/o").body == b"body"


def test_incomplete_body_stores_nothing(cluster, client, container):
    for size in (1000, 1000000):
        with cluster.raw() as r:
            r.send("PUT %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: %d\r\n\r\n"
                   % (client.path(container + "/cut"), client.token, size))
            r.send(b"x" * (size // 2))
        time.sleep(0.2)
        assert client.get(container + "/cut").status == 404
    assert client.list(container) == []


@pytest.mark.parametrize("method,status", [("PATCH", 405), ("UPDATE", 405), ("REPLICATE", 405)])
def test_other_methods(client, path, method, status):
    res = client.request(method, path)
    assert res.status == status and "GET" in res.headers["Allow"]


def test_cors(client, container):
    client.put(container + "/o", b"x", headers={"X-Object-Meta-Thing": "1"})
    client.post(container, headers={"X-Container-Meta-Access-Control-Allow-Origin": "*"})
    res = client.get(container + "/o", headers={"Origin": "http://a.example"})
    assert res.headers["Access-Control-Allow-Origin"] == "*"
    assert "x-object-meta-thing" in res.headers["Access-Control-Expose-Headers"].lower()
    res = client.get(container + "/none", headers={"Origin": "http://a.example"})
    assert res.status == 404 and res.headers["Access-Control-Allow-Origin"] == "*"


def test_paths_that_name_nothing(cluster, anonymous):
    for path, status in (("//", 404), ("/v1", 412), ("/v1/", 412), ("/v1//c", 404),
                         ("/v2/a", 400), ("/v1/a/%ff", 412)):
        res = anonymous.get(path)
        assert res.status in (status, 401), (path, res)
