"""The object server's half of the backend protocol, over raw sockets.

Tests with the fixture `dev` state what Swift 2.30's object server does. With
NEEDLETAIL_TEST_SWIFT=1 they also run against Debian's, which checks the expectations."""
import json
import os

import pytest

from tests.cluster.objectd_node import (Objectd, SwiftServers, container_headers, md5, timestamp,
                                        wait_for)
from tests.harness.raw import Raw, RawError

KINDS = ["needletail"] + (["swift"] if os.environ.get("NEEDLETAIL_TEST_SWIFT") else [])


@pytest.fixture(scope="module", params=KINDS)
def node(request):
    n = Objectd(1) if request.param == "needletail" else SwiftServers()
    n.start()
    yield n
    n.destroy()


@pytest.fixture
def dev(node):
    return node.device()


@pytest.fixture(scope="module")
def ours():
    with Objectd(2, conf="[updater]\nretry_max = 500ms\ninterval = 500ms\n"
                         "[objectd]\ncontainer_update_timeout = 1s\nnode_timeout = 1s\n") as n:
        yield n


_count = [0]


@pytest.fixture
def name():
    _count[0] += 1
    return "a/c/o%d" % _count[0]


# ---- PUT and GET ----

def test_put_get_head(dev, name):
    ts = timestamp()
    body = b"hello world"
    res = dev.put(name, body, {"X-Timestamp": ts, "X-Object-Meta-Colour": "blue",
                               "X-Object-Sysmeta-Secret": "s", "X-Object-Transient-Sysmeta-T": "t",
                               "Content-Encoding": "gzip", "X-Unknown": "no"})
    assert res.status == 201
    assert res.get("ETag") == '"%s"' % md5(body)
    assert res.body == b""
    for res in (dev.get(name), dev.head(name)):
        assert res.status == 200
        assert res.get("Content-Length") == "11"
        assert res.get("Content-Type") == "text/plain"
        assert res.get("ETag") == '"%s"' % md5(body)
        assert res.get("X-Timestamp") == ts
        assert res.get("X-Backend-Timestamp") == ts
        assert res.get("X-Backend-Data-Timestamp") == ts
        assert res.get("X-Backend-Durable-Timestamp") == ts
        assert res.get("X-Object-Meta-Colour") == "blue"
        assert res.get("X-Object-Sysmeta-Secret") == "s"
        assert res.get("X-Object-Transient-Sysmeta-T") == "t"
        assert res.get("Content-Encoding") == "gzip"
        assert res.get("X-Unknown") is None
        assert res.get("Last-Modified").endswith(" GMT")
    assert dev.get(name).body == body


@pytest.mark.parametrize("size", [0, 1, 4096, 65536, 262144, 262145, 1 << 20, 3 * (1 << 20) + 7])
def test_sizes(dev, name, size):
    body = os.urandom(size)
    res = dev.put(name, body)
    assert res.status == 201 and res.get("ETag") == '"%s"' % md5(body)
    res = dev.get(name)
    assert res.status == 200 and res.body == body
    if size > 10:
        res = dev.get(name, {"Range": "bytes=%d-" % (size - 7)})
        assert res.status == 206 and res.body == body[-7:]


def test_chunked(dev, name):
    res = dev.request("PUT", name, {"Transfer-Encoding": "chunked", "Content-Length": None},
                      b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert res.status == 201
    assert dev.get(name).body == b"hello world"


def test_put_needs(dev, name):
    assert dev.put(name, headers={"X-Timestamp": None}).status == 400
    assert dev.put(name, headers={"X-Timestamp": "yesterday"}).status == 400
    assert dev.put(name, headers={"Content-Type": None}).status == 400
    assert dev.put(name, b"", headers={"Content-Length": None}).status == 411
    assert dev.put(name, policy=7).status == 503
    assert dev.put(name, headers={"X-Delete-At": "1"}).status == 400
    assert dev.put(name, headers={"X-Delete-At": "soon"}).status == 400
    assert dev.put(name, headers={"X-Object-Meta-X": "v" * 257}).status == 400
    assert dev.get(name).status == 404


def test_wrong_device(dev, name):
    res = dev.request("PUT", name, body=b"x", raw_path="/sdz/1/" + name)
    assert res.status == 507
    assert dev.request("GET", name, raw_path="/sdz/1/" + name).status == 507


def test_bad_paths(dev):
    for path in ("/d1", "/d1/x/a/c/o", "//1/a/c/o"):
        assert dev.request("GET", "", raw_path=path).status in (400, 404, 507), path
    assert dev.request("GET", "", raw_path="/d1/1/a/c/%ff").status == 412


def test_other_methods(dev, name):
    assert dev.request("PATCH", name).status == 405
    assert dev.request("BREW", name).status in (400, 405, 501)
    res = dev.request("OPTIONS", name)
    assert res.status == 200 and "PUT" in res.get("Allow")


def test_etag_mismatch(dev, name):
    assert dev.put(name, b"x", {"ETag": md5(b"y")}).status == 422
    assert dev.get(name).status == 404
    assert dev.put(name, b"x", {"ETag": md5(b"x")}).status == 201
    assert dev.put(name, b"x", {"ETag": '"%s"' % md5(b"x")}).status == 201


def test_short_body(dev, name):
    with Raw(dev.ip, dev.port) as raw:
        raw.send("PUT /%s/1/%s HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nContent-Type: a/b\r\n"
                 "Content-Length: 10\r\n\r\nabc" % (dev.name, name, timestamp()))
        raw.end()
        raw.rest()
    assert dev.get(name).status == 404


def test_older_and_equal_are_refused(dev, name):
    ts, older = timestamp(), timestamp(-10)
    assert dev.put(name, b"new", {"X-Timestamp": ts}).status == 201
    for t in (ts, older):
        res = dev.put(name, b"old", {"X-Timestamp": t})
        assert res.status == 409
        assert res.get("X-Backend-Timestamp") == ts
    assert dev.get(name).body == b"new"
    assert dev.put(name, b"newer", {"X-Timestamp": timestamp()}).status == 201
    assert dev.get(name).body == b"newer"


def test_timestamp_offsets_decide(dev, name):
    ts = timestamp()
    assert dev.put(name, b"1", {"X-Timestamp": ts}).status == 201
    assert dev.put(name, b"2", {"X-Timestamp": ts + "_0000000000000001"}).status == 201
    res = dev.get(name)
    assert res.body == b"2"
    assert res.get("X-Timestamp") == ts
    assert res.get("X-Backend-Timestamp") == ts + "_0000000000000001"
    assert dev.put(name, b"1", {"X-Timestamp": ts}).status == 409


def test_if_none_match_on_put(dev, name):
    assert dev.put(name, b"1", {"If-None-Match": "*"}).status == 201
    assert dev.put(name, b"2", {"If-None-Match": "*"}).status == 412
    assert dev.put(name, b"2", {"If-None-Match": md5(b"1")}).status == 412
    assert dev.put(name, b"2", {"If-None-Match": md5(b"0")}).status == 201
    assert dev.delete(name).status == 204
    assert dev.put(name, b"3", {"If-None-Match": "*"}).status == 201


def test_expect_100_continue(dev, name):
    with Raw(dev.ip, dev.port) as raw:
        raw.send("PUT /%s/1/%s HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nContent-Type: a/b\r\n"
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
                 % (dev.name, name, timestamp()))
        assert raw.head().status == 100
        raw.send(b"abc")
        assert raw.response().status == 201
    with Raw(dev.ip, dev.port) as raw:
        raw.send("PUT /%s/1/%s HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nContent-Type: a/b\r\n"
                 "Content-Length: 3\r\nIf-None-Match: *\r\nExpect: 100-continue\r\n\r\n"
                 % (dev.name, name, timestamp()))
        assert raw.head().status == 412


def test_footers(dev, name):
    """Metadata behind the body, as an encrypting proxy sends it (proxy/controllers/obj.py)."""
    footer = json.dumps({"X-Object-Sysmeta-Late": "yes", "Etag": md5(b"abc")})
    body = ("--b0undary\r\nX-Document: object body\r\n\r\nabc\r\n--b0undary\r\n"
            "X-Document: object metadata\r\nContent-MD5: %s\r\n\r\n%s\r\n--b0undary--\r\n"
            % (md5(footer.encode()), footer)).encode()

    def put(bytes_):
        with Raw(dev.ip, dev.port) as raw:
            raw.send("PUT /%s/1/%s HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nContent-Type: a/b\r\n"
                     "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
                     "X-Backend-Obj-Metadata-Footer: yes\r\nX-Backend-Obj-Content-Length: 3\r\n"
                     "X-Backend-Obj-Multipart-Mime-Boundary: b0undary\r\n\r\n"
                     % (dev.name, name, timestamp()))
            interim = raw.head()
            assert interim.status == 100 and interim.get("X-Obj-Metadata-Footer") == "yes"
            raw.send(b"%x\r\n" % len(bytes_) + bytes_ + b"\r\n0\r\n\r\n")
            return raw.response().status

    assert put(body.replace(b"Content-MD5: ", b"Content-MD5: 0")) == 422
    assert put(body.replace(b"\r\nabc\r\n", b"\r\nabd\r\n")) == 422
    assert put(body) == 201
    res = dev.get(name)
    assert res.body == b"abc"
    assert res.get("X-Object-Sysmeta-Late") == "yes"


def test_reserved_names(dev, name):
    for path, status in (("a/%00c/%00o", 201), ("a/%00c/o", 400), ("a/c/%00o", 400),
                         ("a/c/o%00", 400), (".a/c/%00o", 201)):
        res = dev.request("PUT", "", raw_path="/%s/1/%s" % (dev.name, path), body=b"x")
        assert res.status == status, path


# ---- conditions and ranges ----

def test_conditional_get(dev, name):
    dev.put(name, b"0123456789")
    etag = md5(b"0123456789")
    past, future = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2044 08:49:37 GMT"
    for header, value, status in (
            ("If-Match", etag, 200), ("If-Match", '"%s"' % etag, 200), ("If-Match", "*", 200),
            ("If-Match", "x", 412), ("If-None-Match", etag, 304), ("If-None-Match", "*", 304),
            ("If-None-Match", "x", 200), ("If-Modified-Since", past, 200),
            ("If-Modified-Since", future, 304), ("If-Unmodified-Since", past, 412),
            ("If-Unmodified-Since", future, 200), ("If-Modified-Since", "today", 200)):
        for method in ("GET", "HEAD"):
            res = dev.request(method, name, {header: value})
            assert res.status == status, (method, header, value)
    res = dev.get(name, {"If-Match": "x"})
    assert res.body == b"" and res.get("ETag") == '"%s"' % etag
    assert dev.get("a/c/none", {"If-Match": "*"}).status == 412
    assert dev.get("a/c/none", {"If-Match": etag}).status == 404


def test_etag_is_at(dev, name):
    dev.put(name, b"x", {"X-Object-Sysmeta-Real-Etag": "real"})
    where = {"X-Backend-Etag-Is-At": "X-Object-Sysmeta-None, X-Object-Sysmeta-Real-Etag"}
    assert dev.get(name, dict(where, **{"If-Match": "real"})).status == 200
    assert dev.get(name, dict(where, **{"If-Match": md5(b"x")})).status == 412
    assert dev.get(name, {"If-Match": md5(b"x")}).status == 200


def test_ranges(dev, name):
    dev.put(name, b"0123456789")
    for value, status, body, content_range in (
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=5-", 206, b"56789", "bytes 5-9/10"),
            ("bytes=-3", 206, b"789", "bytes 7-9/10"), ("bytes=8-100", 206, b"89", "bytes 8-9/10"),
            ("bytes=a-b", 200, b"0123456789", None), ("bytes=5-3", 200, b"0123456789", None),
            ("bytes=10-", 416, None, "bytes */10"), ("bytes=-0", 416, None, "bytes */10")):
        res = dev.get(name, {"Range": value})
        assert res.status == status, value
        assert res.get("Content-Range") == content_range
        if body is not None:
            assert res.body == body
    assert dev.head(name, {"Range": "bytes=0-3"}).status == 200
    ignored = {"Range": "bytes=0-3",
               "X-Backend-Ignore-Range-If-Metadata-Present": "X-Static-Large-Object"}
    assert dev.get(name, ignored).status == 206
    dev.put(name, b"0123456789", {"X-Static-Large-Object": "True"})
    assert dev.get(name, ignored).status == 200


def test_several_ranges(dev, name):
    dev.put(name, b"0123456789")
    res = dev.get(name, {"Range": "bytes=0-1,8-"})
    assert res.status == 206
    boundary = res.get("Content-Type").split("boundary=")[1]
    assert res.get("Content-Type") == "multipart/byteranges;boundary=" + boundary
    assert res.body.decode() == (
        "--{b}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
        "--{b}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--{b}--"
    ).format(b=boundary)


# ---- DELETE ----

def test_delete(dev, name):
    put, deleted = timestamp(-5), timestamp()
    dev.put(name, b"x", {"X-Timestamp": put})
    res = dev.delete(name, {"X-Timestamp": timestamp(-10)})
    assert res.status == 409 and res.get("X-Backend-Timestamp") == put
    res = dev.delete(name, {"X-Timestamp": deleted})
    assert res.status == 204
    assert res.get("X-Backend-Timestamp") == deleted
    assert res.get("X-Backend-Content-Type") == "text/plain"
    res = dev.get(name)
    assert res.status == 404 and res.get("X-Backend-Timestamp") == deleted
    res = dev.delete(name, {"X-Timestamp": timestamp(-1)})
    assert res.status == 404 and res.get("X-Backend-Timestamp") == deleted
    again = timestamp()
    res = dev.delete(name, {"X-Timestamp": again})
    assert res.status == 404 and res.get("X-Backend-Timestamp") == again
    assert dev.put(name, b"late", {"X-Timestamp": timestamp(-1)}).status == 409
    assert dev.put(name, b"again").status == 201


def test_delete_of_the_unknown(dev, name):
    ts = timestamp()
    res = dev.delete(name, {"X-Timestamp": ts})
    assert res.status == 404 and res.get("X-Backend-Timestamp") == ts
    assert dev.put(name, b"x", {"X-Timestamp": timestamp(-1)}).status == 409


# ---- POST ----

def test_post_replaces_metadata(dev, name):
    put, post = timestamp(-5), timestamp()
    dev.put(name, b"x", {"X-Timestamp": put, "X-Object-Meta-A": "1", "X-Object-Meta-B": "2",
                         "X-Object-Sysmeta-S": "s", "Content-Encoding": "gzip"})
    res = dev.post(name, {"X-Timestamp": post, "X-Object-Meta-B": "3", "X-Object-Sysmeta-S": "no"})
    assert res.status == 202
    assert res.get("X-Object-Sysmeta-S") == "s"
    assert res.get("X-Backend-Content-Type") == "text/plain"
    res = dev.get(name)
    assert res.get("X-Object-Meta-A") is None
    assert res.get("X-Object-Meta-B") == "3"
    assert res.get("X-Object-Sysmeta-S") == "s"
    assert res.get("Content-Encoding") is None
    assert res.get("Content-Type") == "text/plain"
    assert res.get("X-Timestamp") == post
    assert res.get("X-Backend-Timestamp") == post
    assert res.get("X-Backend-Data-Timestamp") == put
    assert res.get("ETag") == '"%s"' % md5(b"x")
    assert res.body == b"x"


def test_post_content_type(dev, name):
    dev.put(name, b"x", {"X-Timestamp": timestamp(-5)})
    assert dev.post(name, {"Content-Type": "image/png"}).status == 202
    assert dev.get(name).get("Content-Type") == "image/png"
    assert dev.post(name, {"X-Object-Meta-A": "1"}).status == 202
    res = dev.get(name)
    assert res.get("Content-Type") == "image/png" and res.get("X-Object-Meta-A") == "1"


def test_post_conflicts(dev, name):
    assert dev.post(name).status == 404
    dev.put(name, b"x", {"X-Timestamp": timestamp(-5)})
    assert dev.post(name, {"X-Timestamp": timestamp(-10)}).status == 409
    assert dev.post(name, {"X-Timestamp": timestamp(-3), "X-Object-Meta-A": "1"}).status == 202
    res = dev.post(name, {"X-Timestamp": timestamp(-4), "X-Object-Meta-A": "2"})
    assert res.status == 409
    assert dev.get(name).get("X-Object-Meta-A") == "1"
    dev.delete(name)
    assert dev.post(name).status == 404


def test_put_drops_what_was_posted(dev, name):
    dev.put(name, b"x", {"X-Timestamp": timestamp(-5)})
    dev.post(name, {"X-Timestamp": timestamp(-4), "X-Object-Meta-A": "1",
                    "Content-Type": "image/png"})
    dev.put(name, b"y")
    res = dev.get(name)
    assert res.get("X-Object-Meta-A") is None and res.get("Content-Type") == "text/plain"


def test_late_put_keeps_what_was_posted(dev, name):
    """PUT at 1, POST at 3, then a PUT of 2 comes in: its data, with the POST's metadata."""
    dev.put(name, b"one", {"X-Timestamp": timestamp(-10), "X-Object-Meta-A": "1",
                           "X-Object-Sysmeta-S": "1"})
    post = timestamp(-1)
    dev.post(name, {"X-Timestamp": post, "X-Object-Meta-B": "posted", "Content-Type": "image/png"})
    put = timestamp(-5)
    assert dev.put(name, b"two", {"X-Timestamp": put, "X-Object-Meta-A": "2",
                                  "X-Object-Sysmeta-S": "2"}).status == 201
    res = dev.get(name)
    assert res.body == b"two"
    assert [res.get(h) for h in ("X-Object-Meta-A", "X-Object-Meta-B", "X-Object-Sysmeta-S",
                                 "Content-Type", "X-Timestamp", "X-Backend-Data-Timestamp")] == \
        [None, "posted", "2", "image/png", post, put]


# ---- expiry ----

def test_expired_is_not_found(dev, name):
    at = int(float(timestamp(100)))
    ts = timestamp()
    assert dev.put(name, b"x", {"X-Timestamp": ts, "X-Delete-At": str(at)}).status == 201
    assert dev.get(name).get("X-Delete-At") == str(at)
    later = {"X-Timestamp": timestamp(200)}
    for method in ("GET", "HEAD"):
        res = dev.request(method, name, later)
        assert res.status == 404 and res.get("X-Backend-Timestamp") == ts
        res = dev.request(method, name, dict(later, **{"X-Backend-Replication": "true"}))
        assert res.status == 200
    assert dev.post(name, later).status == 404
    assert dev.put(name, b"y", dict(later, **{"If-None-Match": "*"})).status == 201


def test_if_delete_at(dev, name):
    at = int(float(timestamp(100)))
    assert dev.delete(name, {"X-If-Delete-At": str(at)}).status == 404
    name += "x"
    dev.put(name, b"x", {"X-Delete-At": str(at)})
    assert dev.delete(name, {"X-If-Delete-At": "x"}).status == 400
    assert dev.delete(name, {"X-If-Delete-At": str(at + 1)}).status == 412
    late = {"X-If-Delete-At": str(at), "X-Timestamp": timestamp(-100)}
    assert dev.delete(name, late).status == 409
    assert dev.delete(name, {"X-If-Delete-At": str(at)}).status == 204
    assert dev.get(name).status == 404


def test_post_sets_and_removes_expiry(dev, name):
    at = str(int(float(timestamp(100))))
    dev.put(name, b"x")
    assert dev.post(name, {"X-Delete-At": "1"}).status == 400
    assert dev.post(name, {"X-Delete-At": at}).status == 202
    assert dev.get(name).get("X-Delete-At") == at
    assert dev.get(name, {"X-Timestamp": timestamp(200)}).status == 404
    assert dev.post(name).status == 202
    assert dev.get(name, {"X-Timestamp": timestamp(200)}).status == 200


# ---- listings ----

def test_listing_follows(dev, name):
    container = "a/l" + name.replace("/", "")
    path = container + "/o"
    dev.make_container(container)
    to = container_headers(dev)
    ts = timestamp()
    assert dev.put(path, b"12345", dict(to, **{"X-Timestamp": ts})).status == 201
    row, = dev.rows(container)
    assert (row["name"], row["bytes"], row["hash"], row["content_type"]) == \
        ("o", 5, md5(b"12345"), "text/plain")
    assert dev.post(path, dict(to, **{"Content-Type": "image/png"})).status == 202
    row, = dev.rows(container)
    assert row["content_type"] == "image/png"
    assert dev.delete(path, to).status == 204
    assert dev.listing(container) == []


def test_listing_overrides(dev, name):
    container = "a/v" + name.replace("/", "")
    dev.make_container(container)
    to = container_headers(dev)
    dev.put(container + "/o", b"", dict(to, **{
        "X-Object-Sysmeta-Container-Update-Override-Etag": "abc",
        "X-Object-Sysmeta-Container-Update-Override-Size": "77",
        "X-Backend-Container-Update-Override-Etag": "def",
        "X-Backend-Container-Update-Override-Content-Type": "x/y"}))
    row, = dev.rows(container)
    assert (row["hash"], row["bytes"], row["content_type"]) == ("abc", 77, "x/y")
    dev.put(container + "/p", b"", dict(to, **{"X-Backend-Container-Path": "a/other"}))
    assert dev.listing(container) == ["o"]


def test_swift_bytes_stays(dev, name):
    container = "a/s" + name.replace("/", "")
    dev.make_container(container)
    to = container_headers(dev)
    dev.put(container + "/o", b"", dict(to, **{"Content-Type": "video/x;swift_bytes=1000"}))
    assert dev.rows(container)[0]["bytes"] == 1000
    dev.post(container + "/o", dict(to, **{"Content-Type": "video/y"}))
    row, = dev.rows(container)
    assert (row["bytes"], row["content_type"]) == (1000, "video/y")
    assert dev.get(container + "/o").get("Content-Type") == "video/y"


def test_rows_of_object_servers(dev, name):
    """A row's path looks like an object's: told apart by its headers."""
    container = "a/r" + name.replace("/", "")
    dev.make_container(container)
    res = dev.request("PUT", container + "/o", {
        "X-Size": "5", "X-Etag": md5(b"12345"), "X-Content-Type": "a/b", "Content-Type": None,
        "User-Agent": "object-server 1"}, port=dev.container_port)
    assert res.status == 201
    assert dev.listing(container) == ["o"]
    assert dev.get(container + "/o").status == 404
    res = dev.request("DELETE", container + "/o", {"User-Agent": "object-server 1"},
                      port=dev.container_port)
    assert res.status == 204
    assert dev.listing(container) == []


# ---- ours alone ----

def test_known_etags_are_taken(ours, name):
    dev = ours.device()
    assert dev.put(name, b"x", {"X-Needletail-Etag": md5(b"y")}).get("ETag") == '"%s"' % md5(b"y")
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": None,
               "Trailer": "X-Needletail-Etag"}
    res = dev.request("PUT", name, chunked, b"1\r\nx\r\n0\r\nX-Needletail-Etag: %s\r\n\r\n"
                      % md5(b"z").encode())
    assert res.status == 201 and res.get("ETag") == '"%s"' % md5(b"z")
    assert dev.request("PUT", name, chunked, b"1\r\nx\r\n0\r\n\r\n").status == 400


def test_says_what_it_is(ours, name):
    dev = ours.device()
    assert dev.get(name).get("X-Backend-Needletail") == "1"
    with Raw(dev.ip, dev.port) as raw:
        raw.send("PUT /%s/1/%s HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nContent-Type: a/b\r\n"
                 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
                 % (dev.name, name, timestamp()))
        interim = raw.head()
        assert interim.status == 100 and interim.get("X-Needletail") == "1"


def test_row_on_another_device(ours, name):
    one, two = ours.devices()
    container = "a/x" + name.replace("/", "")
    two.make_container(container)
    for i in range(20):
        assert one.put("%s/o%02d" % (container, i), b"x", container_headers(two)).status == 201
    assert two.listing(container) == ["o%02d" % i for i in range(20)]
    assert one.pending() == 0


def test_pending_rows_are_delivered(ours, name):
    """No device answers at that port: the row is kept, and goes to whom the ring names."""
    one = ours.device()
    container = "p" + name.replace("/", "")
    part, nodes = ours.placement.nodes("a", container)
    for n in nodes:
        ours.device_of(n).make_container("a/" + container, part)
    gone = {"X-Container-Host": "127.0.0.1:1", "X-Container-Device": "d9",
            "X-Container-Partition": "1"}
    assert one.put("a/%s/o" % container, b"x", gone).status == 201
    for n in nodes:
        wait_for(lambda n=n: ours.device_of(n).listing("a/" + container, part) == ["o"],
                 what="the pending row")
    wait_for(lambda: one.pending() == 0, what="no pending row")


def test_pending_rows_survive(ours, name):
    one, two = ours.devices()
    container = "k" + name.replace("/", "")
    part, nodes = ours.placement.nodes("a", container)
    assert "d2" in [n["device"] for n in nodes]
    two.make_container("a/" + container, part)
    pid = ours.worker("d2")
    os.kill(pid, 19)
    try:
        res = one.put("a/%s/o" % container, b"x", container_headers(two, part))
        assert res.status == 201
        assert one.pending() == 1
    finally:
        os.kill(ours.worker("d1"), 9)
        os.kill(pid, 18)
    wait_for(lambda: ours._answers(one.port), what="the first device")
    assert one.get("a/%s/o" % container).body == b"x"
    wait_for(lambda: two.listing("a/" + container, part) == ["o"], what="the pending row")


def test_expirer(name):
    with Objectd(1, conf="[expirer]\ninterval = 200ms\n") as n:
        dev = n.device()
        part, _ = n.placement.nodes("a", "c")
        dev.make_container("a/c", part)
        to = container_headers(dev, part)
        at = str(int(float(timestamp(2))))
        dev.put("a/c/o", b"x", dict(to, **{"X-Delete-At": at}))
        dev.put("a/c/p", b"x", to)
        assert dev.listing("a/c", part) == ["o", "p"]
        wait_for(lambda: dev.listing("a/c", part) == ["p"], what="the row's removal")
        res = dev.get("a/c/o", {"X-Backend-Replication": "true"})
        assert res.status == 404 and res.get("X-Backend-Timestamp") == at + ".00000"


def test_disk_full(name):
    """Below the reserve nothing is written; what is there can be read."""
    with Objectd(1) as n:
        dev = n.device()
        assert dev.put(name, b"x" * 1000).status == 201
        n.stop()
        n.conf = "[objectd]\nreserve = 1000TiB\n"
        n.start()
        assert dev.put(name + "x", b"x").status == 507
        assert dev.put(name + "x", b"x" * (1 << 20)).status == 507
        assert dev.post(name).status == 507
        assert dev.get(name).body == b"x" * 1000
        assert dev.get(name + "x").status == 404


def test_damage_is_noticed(name):
    """A flipped bit: the bytes are never served, and the object is not found from then on."""
    with Objectd(1) as n:
        dev = n.device()
        body = os.urandom(100000)
        assert dev.put(name, body).status == 201
        n.stop()
        flip(n.home, body[50000:50016])
        n.start()
        try:
            res = dev.get(name)
            assert res.status in (404, 500, 507)
        except OSError:
            pass                        # it was noticed when the head had been sent
        except RawError:
            pass
        assert dev.get(name).status == 404
        res = dev.request("GET", "", raw_path="/recon/quarantined")
        assert json.loads(res.body)["objects"] == 1


def flip(folder, needle):
    for root, _, files in os.walk(folder):
        for f in files:
            path = os.path.join(root, f)
            with open(path, "rb") as volume:
                at = volume.read().find(needle)
            if at >= 0:
                with open(path, "r+b") as volume:
                    volume.seek(at)
                    volume.write(bytes([needle[0] ^ 1]))
                return
    raise AssertionError("the bytes are nowhere")


def test_operators_pages(ours):
    dev = ours.device()
    assert dev.request("GET", "", raw_path="/healthcheck").body == b"OK"
    for page in ("mem", "load", "diskusage", "devices", "version", "ringmd5", "async",
                 "quarantined", "mounted", "unmounted", "replication/object",
                 "auditor/object", "expirer/object", "updater/object", "time"):
        res = dev.request("GET", "", raw_path="/recon/" + page)
        assert res.status == 200, page
        json.loads(res.body)
    sockets = json.loads(dev.request("GET", "", raw_path="/recon/sockstat").body)
    assert sockets["tcp_in_use"] > 0 and sockets["tcp_mem_allocated_bytes"] >= 0
    assert {"orphan", "time_wait"} <= set(sockets)
    for page, keys in (("sharding", {"sharding_stats", "sharding_time", "sharding_last"}),
                       ("driveaudit", {"drive_audit_errors"}),
                       ("relinker", {"devices", "workers"})):
        res = dev.request("GET", "", raw_path="/recon/" + page)
        assert res.status == 200 and set(json.loads(res.body)) == keys, page
    assert dev.request("GET", "", raw_path="/recon/nonsense").status == 404
    assert b"needletail_objectd_requests_total" in dev.request("GET", "", raw_path="/metrics").body


def test_replicate_verb(ours):
    dev = ours.device()
    res = dev.request("REPLICATE", "", raw_path="/%s/1" % dev.name)
    assert res.status == 200
    import pickle
    assert pickle.loads(res.body) == {}
