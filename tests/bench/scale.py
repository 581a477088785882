#!/usr/bin/python3
"""What must not depend on size: listings of a container with a million names, reading a large
object of a thousand segments, and the proxy's memory for each request that is under way. Prints a
table; exits with 1 when a bound is broken."""
import argparse
import json
import os
import socket
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.harness import stalled  # noqa: E402  (after the path is set)
from tests.harness.cluster import Cluster, SAIO_CONF  # noqa: E402

# Bounds: the big container's time, the large object's rate and first byte, memory.
LISTING, LARGE_RATE, LARGE_FIRST, KIB_PER_REQUEST = 1.5, 0.8, 3, 64


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
        stalled.fill(cluster, name, rows)
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


def read_bytes(cluster, token, path, count=None):
    """GET with a socket of its own: seconds to the first byte of the body, and to its end (or to so
    many bytes)."""
    room = bytearray(1 << 20)
    with socket.create_connection((cluster.host, cluster.port)) as s:
        start = time.monotonic()
        s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n\r\n"
                   % (path, token)).encode())
        head = b""
        while len(head.partition(b"\r\n\r\n")[2]) == 0:
            head += s.recv(65536)
        first = time.monotonic() - start
        lines, _, body = head.partition(b"\r\n\r\n")
        assert b" 200 " in lines.split(b"\r\n")[0], lines
        length = next(int(x.split(b":")[1]) for x in lines.split(b"\r\n")
                      if x.lower().startswith(b"content-length:"))
        left = (count or length) - len(body)    # of the body
        while left > 0:
            n = s.recv_into(room)
            assert n, "the body ended %d bytes early" % left
            left -= n
    return first, time.monotonic() - start


def large_objects(cluster, rounds, megabytes):
    """One GET of a static large object of 1 MiB segments, beside a plain object of its size."""
    c = cluster.client("tester")
    assert c.put("large").status == 201
    piece = os.urandom(1 << 20)
    assert c.put("large/plain", (piece for _ in range(megabytes))).status == 201
    for i in range(megabytes):
        assert c.put("large/segments/%04d" % i, piece).status == 201
    manifest = [{"path": "/large/segments/%04d" % i} for i in range(megabytes)]
    assert c.put("large/slo", json.dumps(manifest),
                 query={"multipart-manifest": "put"}).status == 201
    token, account = c.token, c.account
    c.close()
    paths = [account + "/large/plain", account + "/large/slo"]
    firsts, rates = ([], []), ([], [])
    for _ in range(rounds):
        for i, path in enumerate(paths):
            firsts[i].append(read_bytes(cluster, token, path, 1)[0] * 1000)
    for _ in range(max(rounds // 3, 3)):
        for i, path in enumerate(paths):
            rates[i].append(megabytes / read_bytes(cluster, token, path)[1])
    first, rate = [[statistics.median(x) for x in both] for both in (firsts, rates)]
    return [("rate of a large object", "%.0f MB/s, the plain one %.0f MB/s" % (rate[1], rate[0]),
             rate[0] / rate[1], 1 / LARGE_RATE, "x slower"),
            ("its first byte", "%.2f ms, the plain one's %.2f ms" % (first[1], first[0]),
             first[1] / first[0], LARGE_FIRST, "x")]


def memory(cluster, count):
    """Growth of the proxy for each request that is under way, by kind."""
    stalled.prepare(cluster)
    found = []
    for kind in stalled.kinds():
        # Memory that was used once stays with the process.
        cluster.restart()
        each = stalled.kib_each(cluster, kind, count)
        found.append(("%d x %s" % (count, kind.name), "for each", each, KIB_PER_REQUEST, "KiB"))
    return found


PARTS = {"listings": listings, "large": large_objects, "memory": memory}


def measure(cluster, parts=PARTS, rows=1000000, rounds=9, megabytes=1000, requests=200):
    """(what, how it came about, value, bound, unit) of each."""
    arguments = {"listings": (rows, rounds), "large": (rounds, megabytes), "memory": (requests,)}
    found = []
    for name in parts:
        found += PARTS[name](cluster, *arguments[name])
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--requests", type=int, default=200)
    p.add_argument("--megabytes", type=int, default=1000, help="of the large object")
    p.add_argument("--only", default=",".join(PARTS), help="of these")
    args = p.parse_args()
    with Cluster(conf=SAIO_CONF) as cluster:
        found = measure(cluster, args.only.split(","), args.rows, args.rounds, args.megabytes,
                        args.requests)
    print("load average %.1f, %d processors" % (os.getloadavg()[0], os.cpu_count()))
    broken = 0
    for what, how, value, bound, unit in found:
        late = value > bound
        broken += late
        print("%-44s %8.2f %-8s at most %g%s   %s" % (what, value, unit, bound,
                                                      "  MISSED" if late else "", how))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
