#!/usr/bin/python3
"""A device with a million objects: what a replication pass with nothing to do costs, how fast the
auditor reads, memory, restarts, and how fast a lost device is filled again. Prints a table; exits
with 1 when a bound is broken. Ratios are against this machine's disk and loopback as they are now.
"""
import argparse
import os
import shutil
import signal
import socket
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.bench.bulk_objects import Filler  # noqa: E402  (after the path is set)
from tests.cluster.objectd_node import Objectd  # noqa: E402

CONF = ("[objectd]\nreserve = 64MiB\n[replicator]\ninterval = 1d\nbytes_per_second = 1TiB\n"
        "node_timeout = 60s\n[auditor]\ninterval = 1d\nbytes_per_second = 1TiB\n"
        "[expirer]\nenabled = no\n[reaper]\nenabled = no\n[reconciler]\nenabled = no\n")


def io_read(pid):
    """Bytes that a process has read: by calls (also from the page cache), and from the disk, where
    what it has mapped (LevelDB's tables) counts as well."""
    with open("/proc/%d/io" % pid) as f:
        fields = dict(line.split(": ") for line in f.read().splitlines())
    return int(fields["rchar"]), int(fields["read_bytes"])


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024


def sequential_rate(folder, limit=1 << 30):
    """MB/s of reading the volumes in order, as plain as can be, after the cache was dropped."""
    names = sorted(os.path.join(folder, "volumes", n)
                   for n in os.listdir(os.path.join(folder, "volumes")))
    drop_cache(folder)
    start, n = time.monotonic(), 0
    for name in names:
        with open(name, "rb", buffering=0) as f:
            while n < limit:
                piece = f.read(1 << 20)
                if not piece:
                    break
                n += len(piece)
    return n / (time.monotonic() - start) / 1e6


def drop_cache(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            fd = os.open(os.path.join(path, name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def loopback_rate(folder, size=1 << 28, piece=4 << 20):
    """MB/s of one stream over loopback into a file, with an fdatasync for every 4 MiB."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)

    def send():
        with socket.create_connection(server.getsockname()) as s:
            block = os.urandom(1 << 20)
            for _ in range(size >> 20):
                s.sendall(block)
    threading.Thread(target=send, daemon=True).start()
    conn, _ = server.accept()
    path = os.path.join(folder, "loopback.probe")
    start, n, unsynced = time.monotonic(), 0, 0
    with open(path, "wb", buffering=0) as f:
        while n < size:
            data = conn.recv(1 << 20)
            f.write(data)
            n += len(data)
            unsynced += len(data)
            if unsynced >= piece:
                os.fdatasync(f.fileno())
                unsynced = 0
        os.fdatasync(f.fileno())
    rate = n / (time.monotonic() - start) / 1e6
    os.remove(path)
    conn.close()
    server.close()
    return rate


def answers(node, i, wait_s=120.0):
    deadline = time.monotonic() + wait_s
    while not node.device(i).answers():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def restarts(node, found):
    start = time.monotonic()
    node.stop(wait_s=60)
    node.start(wait_s=120)
    clean = node.log().rfind("ready with")
    assert clean
    took = []
    for how in (signal.SIGTERM, signal.SIGKILL):
        pid = node.worker("d1")
        os.kill(pid, how)
        start = time.monotonic()
        while True:             # until it is another process that answers
            try:
                if node.worker("d1") != pid and node.device(0).answers():
                    break
            except AssertionError:
                pass
            assert time.monotonic() - start < 120
            time.sleep(0.005)
        took.append(time.monotonic() - start)
    found.append(("restart of the device after a clean stop", took[0], 1.0, "s", ""))
    found.append(("restart of the device after kill -9", took[1], 5.0, "s", ""))


def nothing_to_do(node, found):
    node.device(0).replicate(timeout_s=600)
    for what in ("cold", "warm"):
        if what == "cold":      # digests are computed afresh
            node.stop(wait_s=60)
            drop_cache(os.path.join(node.home, "devices", "d1"))
            node.start(wait_s=120)
        pid = node.worker("d1")
        before, start = io_read(pid), time.monotonic()
        done = node.device(0).replicate(timeout_s=600)
        took, after = time.monotonic() - start, io_read(pid)
        assert done["pushed"] == done["failed"] == 0, done
        found.append(("replication pass with nothing to do, %s" % what, took, 5.0, "s",
                      "%d partitions" % done["partitions"]))
        read = max(after[0] - before[0], after[1] - before[1])
        found.append(("  read meanwhile", read / 1e6, 100.0, "MB", ""))


def audit(node, found, path):
    plain = sequential_rate(path)
    drop_cache(path)
    before = node.device(0).recon("auditor")["object_auditor_stats_ALL"]["bytes_processed"]
    start = time.monotonic()
    node.device(0).job("audit", timeout_s=1200)
    took = time.monotonic() - start
    stats = node.device(0).recon("auditor")["object_auditor_stats_ALL"]
    rate = (stats["bytes_processed"] - before) / took / 1e6
    found.append(("auditor, share of sequential reading", -rate / plain, -0.8, "x",
                  "%.0f of %.0f MB/s" % (rate, plain)))
    assert stats["quarantined"] == 0


def rebuild(node, found, path):
    """The third device is lost; the others fill an empty one."""
    plain = loopback_rate(node.home)
    lost = os.path.join(node.home, "devices", "d3")
    node.stop(wait_s=60)
    bytes_before = used(lost)
    shutil.rmtree(lost)
    node.start(wait_s=120)
    threads = [threading.Thread(target=node.device(i).replicate, args=(3000,)) for i in (0, 1)]
    pids = [node.worker(name) for name in node.names]
    cpu = [cpu_s(pid) for pid in pids]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - start
    assert used(lost) > bytes_before * 0.9
    rate = used(lost) / took / 1e6
    cpu = [cpu_s(pid) - c for pid, c in zip(pids, cpu)]
    found.append(("filling a lost device, share of loopback + sync", -rate / plain, -0.7, "x",
                  "%.0f of %.0f MB/s, %.1f s; CPU %.1f s of the senders, %.1f s of the receiver"
                  % (rate, plain, took, cpu[0] + cpu[1], cpu[2])))


def used(folder):
    return sum(os.path.getsize(os.path.join(folder, "volumes", n))
               for n in os.listdir(os.path.join(folder, "volumes")))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--objects", type=int, default=1000000)
    p.add_argument("--size", type=int, default=4096)
    args = p.parse_args()
    found = []
    node = Objectd(3, CONF, part_power=10)
    try:
        node.start()
        start = time.monotonic()
        Filler(node, args.size).fill(args.objects)
        print("%d objects of %d bytes on each of 3 devices in %.0f s" % (
            args.objects, args.size, time.monotonic() - start), flush=True)
        path = os.path.join(node.home, "devices", "d1")
        nothing_to_do(node, found)
        audit(node, found, path)
        found.append(("memory of objectd", rss_mb(node.worker("d1")), 200.0, "MB", ""))
        restarts(node, found)
        rebuild(node, found, path)
        found.append(("memory of objectd after sending all", rss_mb(node.worker("d1")), 200.0,
                      "MB", ""))
        print("load average %.1f" % os.getloadavg()[0])
        return report(found)
    finally:
        node.destroy()


def report(found):
    broken = 0
    for what, value, bound, unit, how in found:
        late = value > bound
        broken += late
        print("%-48s %8.2f %-3s at %s %g%s   %s" % (
            what, abs(value), unit, "least" if bound < 0 else "most", abs(bound),
            "  MISSED" if late else "", how), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
