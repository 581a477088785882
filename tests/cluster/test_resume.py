"""Reads of one object while every storage process is killed in turn: the client sees all bytes."""
import hashlib
import http.client
import os
import re
import signal

import pytest

SIZE = 48 << 20


@pytest.fixture(scope="module")
def data():
    return os.urandom(1 << 20) * (SIZE >> 20)


def read_slowly(cluster, client, path, headers, disturb):
    """The body, with a call of disturb() in the middle of it."""
    c = http.client.HTTPConnection(cluster.host, cluster.port, timeout=60)
    c.request("GET", client.path(path), headers=dict(headers, **{"X-Auth-Token": client.token}))
    res = c.getresponse()
    body = res.read(10 << 20)
    disturb()
    body += res.read()
    c.close()
    assert len(body) == int(res.headers["Content-Length"])
    return res, body


def all_answer(cluster):
    for i in range(1, 5):
        try:
            c = http.client.HTTPConnection("127.0.0.1", cluster.port + i, timeout=5)
            c.request("GET", "/healthcheck")
            c.getresponse().read()
            c.close()
        except OSError:
            return False
    return True


def killer(cluster):
    """Each call kills two of the four devices, so at least one of three replicas stays."""
    turn = iter(range(1000))

    def kill():
        first = next(turn) % 2 * 2 + 1
        for i in (first, first + 1):
            assert cluster.kill("needletail-objectd: d%d" % i, signal.SIGKILL) == 1

    return kill


@pytest.mark.limit_s(200)
def test_every_process_is_killed(make_cluster, data):
    cluster = make_cluster()
    client = cluster.client("tester")
    assert client.put("c").status == 201
    assert client.put("c/o", data).status == 201
    kill = killer(cluster)
    for _ in range(4):
        cluster.wait_for(lambda: all_answer(cluster), what="all devices")
        res, body = read_slowly(cluster, client, "c/o", {}, kill)
        assert res.status == 200
        assert hashlib.md5(body).hexdigest() == hashlib.md5(data).hexdigest()
    cluster.wait_for(lambda: all_answer(cluster), what="all devices")
    one = {"Range": "bytes=1000-%d" % (SIZE - 2000)}
    res, body = read_slowly(cluster, client, "c/o", one, kill)
    assert res.status == 206 and body == data[1000:SIZE - 1999]
    cluster.wait_for(lambda: all_answer(cluster), what="all devices")
    first, second = (100, 20 << 20), (21 << 20, SIZE - 7)
    two = {"Range": "bytes=%d-%d,%d-%d" % (first + second)}
    res, body = read_slowly(cluster, client, "c/o", two, kill)
    assert res.status == 206
    boundary = re.search(r"boundary=(\w+)", res.headers["Content-Type"]).group(1).encode()
    parts = [p.split(b"\r\n\r\n", 1)[1][:-2] for p in body.split(b"--" + boundary)[1:-1]]
    assert [p == data[a:b + 1] for p, (a, b) in zip(parts, (first, second))] == [True, True]
    text = client.get("/metrics", token=None).text
    resumed = sum(float(line.split()[-1]) for line in text.splitlines()
                  if line.startswith("needletail_proxy_resumed_reads_total"))
    assert resumed >= 1
