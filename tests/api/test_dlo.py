"""Dynamic large objects: X-Object-Manifest."""
import concurrent.futures
import re
import subprocess

import pytest

from tests.harness.swift import md5, quote

SEGMENTS = [b"0123456789", b"abcdefghij" * 3, b"ABCDE", b"+"]
CONTENT = b"".join(SEGMENTS)
ETAG = '"%s"' % md5("".join(map(md5, SEGMENTS)).encode())


@pytest.fixture
def dlo(client, container):
    """The path of a DLO of SEGMENTS, which are seg/0, seg/1…"""
    for i, data in enumerate(SEGMENTS):
        assert client.put("%s/seg/%d" % (container, i), body=data).status == 201
    res = client.put(container + "/dlo", headers={
        "X-Object-Manifest": container + "/seg/", "Content-Type": "text/x-large",
        "X-Object-Meta-Colour": "red"})
    assert res.status == 201, res
    return container + "/dlo"


def test_get_and_head(client, container, dlo):
    got = client.get(dlo)
    assert (got.status, got.body) == (200, CONTENT)
    assert got.headers["Content-Length"] == str(len(CONTENT))
    assert got.headers["Etag"] == ETAG
    assert got.headers["X-Object-Manifest"] == container + "/seg/"
    assert got.headers["Content-Type"] == "text/x-large"
    assert got.headers["X-Object-Meta-Colour"] == "red"
    head = client.head(dlo)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Etag", "X-Object-Manifest", "Last-Modified"):
        assert head.headers[name] == got.headers[name], name


def test_grows_with_its_prefix(client, container, dlo):
    assert client.put(container + "/seg/05", body=b"new").status == 201
    assert client.get(dlo).body == SEGMENTS[0] + b"new" + b"".join(SEGMENTS[1:])
    assert client.delete(container + "/seg/0").status == 204
    assert client.get(dlo).body == b"new" + b"".join(SEGMENTS[1:])


@pytest.mark.parametrize("value", ["", "c", "c/", "/p", "c//p", "c/p?x", "c/p&x"])
def test_bad_manifests(client, container, value):
    res = client.put(container + "/o", headers={"X-Object-Manifest": value})
    assert (res.status, res.text) == (400,
                                      "X-Object-Manifest must be in the format container/prefix")
    assert client.head(container + "/o").status == 404


def test_quoted_names(client, container):
    name = "ä %2F/\u2603"
    assert client.put(quote(container, name + "/1"), body=b"x").status == 201
    assert client.put(quote(container, name + "/2"), body=b"y").status == 201
    value = quote(container, name + "/")
    assert client.put(container + "/o", headers={"X-Object-Manifest": value}).status == 201
    got = client.get(container + "/o")
    assert (got.body, got.headers["X-Object-Manifest"]) == (b"xy", value)


def test_nothing_matches(client, container):
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": container + "/none"}).status == 201
    got = client.get(container + "/o")
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", "0")
    assert got.headers["Etag"] == '"%s"' % md5(b"")


def test_no_such_container(client, container):
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": "none-%s/x" % container}).status == 201
    assert client.get(container + "/o").status == 404
    head = client.head(container + "/o")
    assert (head.status, head.body) == (404, b"")


def test_empty_segments(client, container, dlo):
    assert client.put(container + "/seg/00").status == 201
    assert client.put(container + "/seg/4").status == 201
    assert client.get(dlo).body == CONTENT
    assert client.get(dlo, headers={"Range": "bytes=9-10"}).body == CONTENT[9:11]


@pytest.mark.parametrize("text, first, end", [
    ("0-0", 0, 1), ("5-14", 5, 15), ("10-39", 10, 40), ("-6", 40, 46), ("39-", 39, 46),
    ("-1000", 0, 46), ("45-99", 45, 46)])
def test_ranges(client, dlo, text, first, end):
    got = client.get(dlo, headers={"Range": "bytes=" + text})
    assert (got.status, got.body) == (206, CONTENT[first:end])
    assert got.headers["Content-Range"] == "bytes %d-%d/46" % (first, end - 1)
    assert got.headers["Etag"] == ETAG


def test_ranges_that_are_not(client, dlo):
    got = client.get(dlo, headers={"Range": "bytes=46-"})
    assert (got.status, got.headers["Content-Range"]) == (416, "bytes */46")
    assert client.get(dlo, headers={"Range": "bytes=3-1"}).body == CONTENT


def test_several_ranges(client, dlo):
    got = client.get(dlo, headers={"Range": "bytes=0-11,38-41"})
    assert got.status == 206
    boundary = re.fullmatch("multipart/byteranges;boundary=(.*)", got.headers["Content-Type"])[1]
    parts = got.body.split(("--" + boundary).encode())
    assert [p.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") for p in parts[1:-1]] == \
        [CONTENT[0:12], CONTENT[38:42]]


def test_conditions(client, dlo):
    for method in ("GET", "HEAD"):
        for headers, status in (({"If-Match": ETAG}, 200), ({"If-Match": "x"}, 412),
                                ({"If-None-Match": ETAG}, 304), ({"If-None-Match": "x"}, 200)):
            assert client.request(method, dlo, headers=headers).status == status, headers


def test_manifest_itself(client, dlo):
    got = client.get(dlo + "?multipart-manifest=get")
    assert (got.status, got.body) == (200, b"")
    assert got.headers["Etag"] == md5(b"")
    assert "X-Object-Manifest" in got.headers


def test_manifest_with_content(client, container, dlo):
    assert client.put(container + "/o", body=b"own", headers={
        "X-Object-Manifest": container + "/seg/"}).status == 201
    assert client.get(container + "/o").body == CONTENT
    assert client.get(container + "/o?multipart-manifest=get").body == b"own"


def test_segments_are_read_as_they_are(client, container):
    """A manifest among the segments counts as its own bytes."""
    assert client.put(container + "/x/1", body=b"a",
                      headers={"X-Object-Manifest": container + "/none"}).status == 201
    assert client.put(container + "/x/2", body=b"b").status == 201
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": container + "/x/"}).status == 201
    assert client.get(container + "/o").body == b"ab"


def test_copy(client, container, dlo):
    assert client.copy(dlo, container + "/copy").status == 201
    got = client.get(container + "/copy")
    assert (got.body, got.headers["Etag"]) == (CONTENT, md5(CONTENT))
    assert "X-Object-Manifest" not in got.headers
    assert client.copy(dlo + "?multipart-manifest=get", container + "/same").status == 201
    got = client.get(container + "/same")
    assert (got.body, got.headers["X-Object-Manifest"]) == (CONTENT, container + "/seg/")


def test_delete_keeps_segments(client, container, dlo):
    assert client.delete(dlo).status == 204
    assert len(client.list(container)) == len(SEGMENTS)


def test_needs_rights_on_the_listing(cluster, client, container):
    segments = container + "-s"
    reader = cluster.client("tester3")
    path = "%s/%s/o" % (client.account, container)
    assert client.put(segments).status == 201
    assert client.put(segments + "/s1", body=b"x").status == 201
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": segments + "/s"}).status == 201
    assert client.post(container, headers={"X-Container-Read": "test:tester3"}).status == 204
    assert reader.get(path).status == 403
    assert client.post(segments, headers={"X-Container-Read": "test:tester3"}).status == 204
    assert reader.get(path).body == b"x"
    client.empty(segments)
    reader.close()


@pytest.mark.limit_s(240)
def test_several_pages(client, container):
    """More segments than are listed at a time."""
    for i in range(450):
        assert client.put("%s/p/%04d" % (container, i), body=b"%04d," % i).status == 201
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": container + "/p/"}).status == 201
    want = b"".join(b"%04d," % i for i in range(450))
    got = client.get(container + "/o")
    assert (got.body, got.headers["Content-Length"]) == (want, str(len(want)))
    assert got.headers["Etag"] == '"%s"' % md5(
        "".join(md5(b"%04d," % i) for i in range(450)).encode())
    for first in (0, 998, 1003, 2003, 2240):
        got = client.get(container + "/o", headers={"Range": "bytes=%d-%d" % (first, first + 9)})
        assert got.body == want[first:first + 10]
    assert client.get(container + "/o", headers={"Range": "bytes=-7"}).body == want[-7:]


@pytest.mark.limit_s(300)
def test_more_than_a_listing(cluster, client, container):
    """Beyond a full listing neither length nor ETag is told, as in Swift."""
    count = 10003

    def fill(first):
        mine = cluster.client("tester")
        for i in range(first, count, 4):
            assert mine.put("%s/p/%05d" % (container, i), body=b"%05d" % i).status == 201
        mine.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    assert client.put(container + "/o",
                      headers={"X-Object-Manifest": container + "/p/"}).status == 201
    head = client.head(container + "/o")
    assert head.status == 200 and "Content-Length" not in head.headers
    want = b"".join(b"%05d" % i for i in range(count))
    for headers in ({}, {"Range": "bytes=3-5"}):
        got = client.get(container + "/o", headers=headers)
        assert (got.status, got.body) == (200, want)
        assert got.headers["Transfer-Encoding"] == "chunked"

    def remove(first):
        mine = cluster.client("tester")
        for i in range(first, count, 4):
            mine.delete("%s/p/%05d" % (container, i))
        mine.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(remove, range(4)))


@pytest.mark.limit_s(240)
def test_real_clients(cluster, container, tmp_path):
    env = {"ST_AUTH": cluster.endpoint + "/auth/v1.0", "ST_USER": "test:tester",
           "ST_KEY": "testing", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path),
           "RCLONE_CONFIG_NT_TYPE": "swift", "RCLONE_CONFIG_NT_USER": "test:tester",
           "RCLONE_CONFIG_NT_KEY": "testing", "RCLONE_CONFIG_NT_AUTH_VERSION": "1",
           "RCLONE_CONFIG_NT_AUTH": cluster.endpoint + "/auth/v1.0",
           "RCLONE_CONFIG_NT_CHUNK_SIZE": "1M", "RCLONE_CONFIG": str(tmp_path / "rclone.conf")}

    def run(*command):
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True,
                              check=False, timeout=100)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    data = bytes(range(256)) * 4096 * 4
    (tmp_path / "big").write_bytes(data)
    run("swift", "upload", container, "big", "-S", "1000000")
    run("swift", "download", container, "big", "-o", "got")
    assert (tmp_path / "got").read_bytes() == data
    run("swift", "delete", container, "big")
    run("rclone", "copy", "big", "nt:" + container)
    run("rclone", "check", "--download", "big", "nt:" + container)
    run("rclone", "copyto", "nt:%s/big" % container, "back")
    assert (tmp_path / "back").read_bytes() == data
    run("rclone", "delete", "nt:" + container)
