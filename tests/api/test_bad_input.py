"""What a polite client cannot send: a clear status, a bounded cost, nobody else disturbed."""
import socket
import time

import pytest

from tests.harness.raw import RawError


def one(cluster, data, end=False):
    """The answer to these bytes on a connection of their own; None when it is closed without."""
    with cluster.raw() as r:
        r.send(data)
        if end:
            r.end()
        try:
            return r.response()
        except RawError:
            return None


HEAD = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("data,status", [
    (HEAD + b"\r\n", 200),
    (b"GET /healthcheck HTTP/1.1\r\n\r\n", 200),                 # no Host
    (b"GET http://other/healthcheck HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    (b"GET /healthcheck HTTP/1.0\r\n\r\n", 200),
    (b"GET /healthcheck HTTP/2.0\r\n\r\n", 505),
    (b"GET /healthcheck\r\n\r\n", 400),
    (b"get /healthcheck HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthcheck HTTP/1.1\nHost: x\n\n", 400),            # bare LF
    (HEAD + b"no colon\r\n\r\n", 400),
    (HEAD + b"A : b\r\n\r\n", 400),
    (HEAD + b"A: b\r\n folded\r\n\r\n", 400),
    (HEAD + b"A: b\x00c\r\n\r\n", 400),
    (HEAD + b"A: " + b"x" * 9000 + b"\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    (HEAD + b"".join(b"A%d: b\r\n" % i for i in range(300)) + b"\r\n", 431),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    (HEAD + b"Content-Length: 0x1\r\n\r\n", 400),
    (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (HEAD + b"Transfer-Encoding: foo\r\n\r\n", 400),
    (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"SSH-2.0-OpenSSH\r\n\r\n", 400),
])
def test_heads(cluster, data, status):
    res = one(cluster, data)
    assert res is not None and res.status == status, res
    # Also what is refused can be found in the logs.
    assert res.get("X-Trans-Id").startswith("tx")
    assert res.get("X-Openstack-Request-Id") == res.get("X-Trans-Id")


@pytest.mark.parametrize("path,status", [
    ("//", 404), ("/v1//c", 404), ("/v1", 412), ("/v1/", 412), ("/v2/AUTH_test", 400),
    ("/v1/AUTH_test/c/%00", 412), ("/v1/AUTH_test/%ff", 412), ("/v1/AUTH_test/c/%ed%a0%80", 412),
    ("/v1/AUTH_test/%zz", 404), ("/unknown", 412),
])
def test_paths(client, path, status):
    assert client.get(path).status == status


def test_names_that_are_legal(client, container):
    for name in ("..", ".", "a//b", "/", "a/", "%0A", "%25", "a%3Fb", "%C3%A4", "x" * 1024,
                 "'\"<>"):
        path = "%s/%s/%s" % (client.account, container, name)
        assert client.put(path, body=name.encode()).status == 201, name
        assert client.get(path).body == name.encode(), name
    assert len(client.list(container)) == 11
    assert client.put("%s/%s" % (container, "x" * 1025), body=b"").status == 400
    assert client.put("c" * 257).status == 400


def test_methods(client, container):
    for path in ("", container, container + "/o"):
        for method in ("PATCH", "FOO", "UPDATE", "REPLICATE", "TRACE"):
            res = client.request(method, path)
            assert res.status == 405, (method, path, res)
            assert "GET" in res.headers["Allow"]


def put(client, container, headers, body=b"", name="o"):
    return ("PUT %s/%s/%s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n%s\r\n" % (
        client.account, container, name, client.token, headers)).encode() + body


@pytest.mark.parametrize("headers,body,status", [
    ("", b"", 411),
    ("Content-Length: 5368709123\r\n", b"", 413),
    ("Content-Length: 5368709123\r\nExpect: 100-continue\r\n", b"", 413),
    ("Content-Length: 1\r\nX-Delete-At: 1\r\n", b"x", 400),
    ("Content-Length: 1\r\nX-Delete-After: x\r\n", b"x", 400),
    ("Content-Length: 1\r\nX-Object-Meta-%s: b\r\n" % ("a" * 129), b"x", 400),
    ("Content-Length: 1\r\nX-Object-Meta-A: %s\r\n" % ("b" * 257), b"x", 400),
    ("Content-Length: 1\r\nEtag: %s\r\n" % ("0" * 32), b"x", 422),
    ("Content-Length: 1\r\nContent-MD5: AAAA\r\n", b"x", 400),
    ("Content-Length: 1\r\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"x", 422),
    ("Content-Length: 1\r\nContent-Type: a/b;swift_x=1\r\n", b"x", 400),
    ("Transfer-Encoding: chunked\r\n", b"1;ext=\"a\"\r\nx\r\n0\r\nTrailer: y\r\n\r\n", 201),
    ("Content-Length: 1\r\nExpect: nonsense\r\n", b"x", 201),
])
def test_object_put(cluster, client, container, headers, body, status):
    res = one(cluster, put(client, container, headers, body))
    assert res is not None and res.status == status, res


def test_expect(cluster, client, container):
    """The final status replaces the 100 where the body is not wanted; else the 100 comes first."""
    with cluster.raw() as r:
        r.send(put(client, container, "Content-Length: 5\r\nExpect: 100-continue\r\n"))
        assert r.head().status == 100
        r.send(b"hello")
        assert r.response().status == 201
    for where, headers, status in (("nothere-c", "", 404), (container, "If-None-Match: *\r\n", 412),
                                   (container, "X-Object-Meta-: x\r\n", 400)):
        with cluster.raw() as r:
            r.send(put(client, where, headers + "Content-Length: 5\r\nExpect: 100-continue\r\n"))
            assert r.response().status == status, where


def test_broken_bodies_leave_nothing(cluster, client, container):
    cases = [("Content-Length: 10\r\n", b"12345"),
             ("Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\n"),
             ("Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\nxyz\r\n"),
             ("Content-Length: 3000000\r\n", b"x" * 2000000)]
    for headers, body in cases:
        res = one(cluster, put(client, container, headers, body, "broken"), end=True)
        assert res is None or res.status in (400, 408, 499), res
        assert client.head(container + "/broken").status == 404
    assert client.list(container) == []


def test_pipelining(cluster, client, container):
    """Requests that come before the answers are answered one after another, in their order."""
    with cluster.raw() as r:
        r.send(b"".join(put(client, container, "Content-Length: 1\r\n", b"%d" % i, "p%d" % i)
                        for i in range(8)) + HEAD + b"\r\n")
        assert [r.response().status for _ in range(9)] == [201] * 8 + [200]
    assert client.list(container) == ["p%d" % i for i in range(8)]


def test_extra_bytes_are_the_next_request(cluster, client, container):
    with cluster.raw() as r:
        r.send(put(client, container, "Content-Length: 1\r\n", b"xGARBAGE\r\n\r\n"))
        assert r.response().status == 201
        assert r.response().status == 400


def test_http_1_0_and_close(cluster, client, container):
    assert client.put(container + "/o", body=b"hello").status == 201
    with cluster.raw() as r:
        r.send("GET %s/%s/o HTTP/1.0\r\nX-Auth-Token: %s\r\n\r\n" % (
            client.account, container, client.token))
        res = r.response()
        assert (res.status, res.body) == (200, b"hello")
        with pytest.raises(RawError):
            r.response()


def test_silent_connections_disturb_nobody(cluster, client, container):
    """Many connections that say nothing, and some that stop in the middle of a head."""
    held = []
    try:
        for i in range(1500):
            s = socket.create_connection((cluster.host, cluster.port), timeout=10)
            if i % 3 == 0:
                s.sendall(HEAD)
            held.append(s)
        for i in range(20):
            assert client.put("%s/o%d" % (container, i), body=b"x" * 1000).status == 201
            assert client.get("%s/o%d" % (container, i)).status == 200
    finally:
        for s in held:
            s.close()


def test_slow_reader(cluster, client, container):
    """One who does not read holds only his own connection."""
    body = b"0123456789abcdef" * (8 << 16)
    assert client.put(container + "/big", body=body).status == 201
    with cluster.raw() as r:
        r.send("GET %s/%s/big HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n\r\n" % (
            client.account, container, client.token))
        time.sleep(0.5)
        for _ in range(20):
            assert client.get(container + "/big", headers={"Range": "bytes=0-9"}).status == 206
        assert r.response().body == body
