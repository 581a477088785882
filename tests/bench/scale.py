#!/usr/bin/python3
"""What must not depend on size: listings of a container with a million names, and the proxy's
memory for each request that is under way. Prints a table; exits with 1 when a bound is broken."""
import argparse
import os
import socket
import statistics
import struct
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.harness.client import Client  # noqa: E402  (after the path is set)
from tests.harness.cluster import Cluster, SAIO_CONF  # noqa: E402

LISTING, KIB_PER_REQUEST = 1.5, 64      # bounds
ROWS_AT_ONCE = 4000                     # objectd/updater/row_wire.h: ROWS_MAX
BIG_OBJECT = 64 << 20


def text(s):
    return struct.pack("<I", len(s)) + s.encode()


def row(container, name, ticks):
    """objectd/updater/row_wire.c; a timestamp is hundred-thousandths of a second and an offset."""
    return (struct.pack("<IIIQQQQQQQ", 0, 0, 0, ticks, 0, 0, 0, 0, 0, 4096) + text("AUTH_test") +
            text(container) + text(name) + text("application/octet-stream") +
            text("d41d8cd98f00b204e9800998ecf8427e"))


def fill(cluster, container, count):
    """Rows without objects, straight to the container servers."""
    devices = [Client(cluster.host, cluster.port + i) for i in (1, 2, 3, 4)]
    ticks = int(time.time() * 100000)
    for first in range(0, count, ROWS_AT_ONCE):
        body = b"".join(row(container, "name-%08d" % i, ticks)
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


def median_ms(rounds, *calls):
    """Of each call, in turn, so that noise hits all of them."""
    times = [[] for _ in calls]
    for _ in range(rounds):
        for call, mine in zip(calls, times):
            start = time.monotonic()
            call()
            mine.append((time.monotonic() - start) * 1000)
    return [statistics.median(t) for t in times]


def listings(cluster, count, rounds):
    c = cluster.client("tester")
    sizes = {"small": 10000, "big": count}
    for name, rows in sizes.items():
        assert c.put(name).status == 201
        start = time.monotonic()
        fill(cluster, name, rows)
        print("%-8s %8d rows in %.1f s" % (name, rows, time.monotonic() - start), flush=True)
    middle = {"small": "name-", "big": "name-%08d" % (count // 2)}

    def page(name, fmt, marker):
        def call():
            res = c.get(name, query={"format": fmt, "limit": "10000", "marker": marker})
            assert res.status == 200, res
        return call

    def write_and_delete(name):
        def call():
            for i in range(20):
                path = "%s/name-%08d" % (name, 5000 + i)
                assert c.put(path, b"").status == 201 and c.delete(path).status == 204
        return call

    found = []
    for what, calls in (
            ("first 10,000 names, text", [page(n, "plain", "") for n in sizes]),
            ("first 10,000 names, JSON", [page(n, "json", "") for n in sizes]),
            ("10,000 from the middle, JSON", [page(n, "json", middle[n]) for n in sizes]),
            ("20 PUTs and DELETEs", [write_and_delete(n) for n in sizes])):
        small, big = median_ms(rounds, *calls)
        found.append((what, "%.1f ms, of %d rows %.1f ms" % (small, count, big), big / small,
                      LISTING, "x"))
    c.close()
    return found


def memory_kib(cluster):
    return sum(p.status_kib() for p in cluster.processes("needletail-proxy"))


def stalled(cluster, head, body, count):
    """Connections that sent this and then neither send nor read."""
    held = []
    for _ in range(count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        s.settimeout(5)
        s.connect((cluster.host, cluster.port))
        s.sendall(head.encode())
        s.setblocking(False)
        left = memoryview(body)
        end = time.monotonic() + 0.3
        while left and time.monotonic() < end:
            try:
                left = left[s.send(left):]
            except BlockingIOError:
                time.sleep(0.001)
        held.append(s)
    return held


def memory(cluster, count):
    c = cluster.client("tester")
    assert c.put("mem").status == 201
    assert c.put("big").status in (201, 202)
    assert c.put("mem/big", (b"x" * (1 << 20) for _ in range(BIG_OBJECT >> 20))).status == 201
    for i in range(10):
        assert c.put("mem/seg%d" % i, b"y" * (1 << 20)).status == 201
    manifest = "[%s]" % ",".join('{"path": "/mem/seg%d"}' % i for i in range(10))
    assert c.put("mem/slo", manifest, query={"multipart-manifest": "put"}).status == 201
    common = " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: @token@\r\n"
    get = "GET " + c.account + "/%s" + common + "\r\n"
    put = "PUT " + c.account + "/mem/p" + common + "%s\r\n"
    c.close()
    kinds = (("GET of 64 MiB", get % "mem/big", b""),
             ("GET of a large object", get % "mem/slo", b""),
             ("listing", get % "big?format=json", b""),
             ("PUT, 100 KiB of 1 GiB sent", put % "Content-Length: 1073741824\r\n", b"z" * 102400),
             ("PUT, 2 MiB of 1 GiB sent", put % "Content-Length: 1073741824\r\n", b"z" * (2 << 20)),
             ("chunked PUT", put % "Transfer-Encoding: chunked\r\n",
              b"10000\r\n" + b"z" * 65536 + b"\r\n"))
    found = []
    for what, head, body in kinds:
        # Memory that was used once stays with the process.
        cluster.stop()
        cluster.start()
        c = cluster.client("tester")
        head = head.replace("@token@", c.token)
        c.close()
        for s in stalled(cluster, head, body, 4):   # whatever the first ones need for all
            s.close()
        time.sleep(0.5)
        before = memory_kib(cluster)
        held = stalled(cluster, head, body, count)
        time.sleep(1)
        each = (memory_kib(cluster) - before) / count
        for s in held:
            s.close()
        found.append(("%d x %s" % (count, what), "KiB for each", each, KIB_PER_REQUEST, "KiB"))
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--requests", type=int, default=100)
    args = p.parse_args()
    with Cluster(conf=SAIO_CONF) as cluster:
        found = listings(cluster, args.rows, args.rounds) + memory(cluster, args.requests)
    print("load average %.1f" % os.getloadavg()[0])
    broken = 0
    for what, how, value, bound, unit in found:
        late = value > bound
        broken += late
        print("%-36s %8.2f %-4s at most %g%s   %s" % (what, value, unit, bound,
                                                      "  MISSED" if late else "", how))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
