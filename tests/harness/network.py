"""A network of hosts in namespaces: one switch (a bridge) that the test stands at, and hosts with
an address each. Links can be cut, slowed and delayed; needs root, iproute2 and nftables."""
import contextlib
import ctypes
import errno
import fcntl
import heapq
import os
import select
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
ETH_P_ALL = 3
FRAME = 65536 + 64
DELAYED_BYTES = 16 << 20        # a delayed link holds no more, as a real one
_libc = ctypes.CDLL(None, use_errno=True)


def is_possible():
    return os.geteuid() == 0 and os.path.exists("/proc/self/ns/net")


def _run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EIO, "%s: %s" % (" ".join(command), done.stderr.strip()))


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    """Sockets that this thread (and threads it starts) opens meanwhile belong to the namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(before)
    finally:
        os.close(there)
        os.close(before)


def _compute_checksums(namespace, dev):
    """What `ethtool -K DEV tx off` does."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP8x", dev.encode(), ctypes.addressof(value))
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, request)


class _Delay(threading.Thread):
    """Forwards frames between two interfaces of a namespace, each after a while."""

    def __init__(self, namespace, names):
        super().__init__(daemon=True)
        self.delay_s, self._ends, self._end = 0.0, [], os.pipe()
        with inside(namespace):
            for name in names:
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
                s.bind((name, 0))
                s.setblocking(False)
                self._ends.append(s)
        self.start()

    def run(self):
        waiting, held, order = [], 0, 0
        while True:
            left = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
            ready = select.select([*self._ends, self._end[0]], [], [], left)[0]
            if self._end[0] in ready:
                return
            for s in ready:
                frame, address = s.recvfrom(FRAME)
                if address[2] == socket.PACKET_OUTGOING or held > DELAYED_BYTES:
                    continue
                to = self._ends[1 - self._ends.index(s)]
                heapq.heappush(waiting, (time.monotonic() + self.delay_s, order, to, frame))
                held, order = held + len(frame), order + 1
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                held -= len(frame)
                with contextlib.suppress(OSError):
                    to.send(frame)

    def end(self):
        os.write(self._end[1], b"x")
        self.join()
        for s in self._ends:
            s.close()
        for fd in self._end:
            os.close(fd)


class Network:
    """count hosts 10.0.0.1 … in namespaces; the switch is 10.0.0.254. close() ends it."""

    def __init__(self, count):
        self.prefix = "needletail-%d-%x" % (os.getpid(), id(self) & 0xffff)
        self.switch = self.prefix + "-switch"
        self.addresses = ["10.0.0.%d" % (i + 1) for i in range(count)]
        self._made, self._cut, self._delays = [], set(), {}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def namespace(self, i):
        return "%s-s%d" % (self.prefix, i + 1)

    def _add(self, namespace):
        _run("ip", "netns", "add", namespace)
        self._made.append(namespace)
        _run("ip", "-n", namespace, "link", "set", "lo", "up")

    def _make(self):
        self._add(self.switch)
        sw = ("ip", "-n", self.switch)
        _run(*sw, "link", "add", "name", "bridge0", "type", "bridge")
        _run(*sw, "addr", "add", "10.0.0.254/24", "dev", "bridge0")
        _run(*sw, "link", "set", "bridge0", "up")
        for i, address in enumerate(self.addresses):
            ns = self.namespace(i)
            self._add(ns)
            _run("ip", "link", "add", "name", "eth0", "netns", ns, "type", "veth", "peer", "name",
                 "s%d" % (i + 1), "netns", self.switch)
            _run("ip", "-n", ns, "addr", "add", address + "/24", "dev", "eth0")
            _run("ip", "-n", ns, "link", "set", "eth0", "up")
            _run(*sw, "link", "set", "s%d" % (i + 1), "master", "bridge0", "up")

    def close(self):
        for delay in self._delays.values():
            delay.end()
        self._delays = {}
        while self._made:
            with contextlib.suppress(OSError):
                _run("ip", "netns", "del", self._made.pop())

    # Faults. Packets vanish without an answer, as behind a dead switch.

    def cut(self, group, other=None):
        """No packet passes between hosts (numbers) of the group and the others, or all the rest and
        the test itself."""
        for a in group:
            if other is None:
                self._cut |= {(self.addresses[a], b) for b in self.addresses + ["10.0.0.254"]
                              if b not in [self.addresses[g] for g in group]}
            else:
                self._cut |= {(self.addresses[a], self.addresses[b]) for b in other}
        self._filter()

    def heal(self):
        self._cut = set()
        self._filter()

    def _filter(self):
        pairs = [p for a, b in sorted(self._cut) for p in ((a, b), (b, a))]
        rules = "".join("ip saddr %s ip daddr %s drop\n" % p for p in pairs)
        hooks = "".join("chain %s {\ntype filter hook %s priority 0\n%s}\n" % (h, h, rules)
                        for h in ("input", "output", "forward"))
        _run("ip", "netns", "exec", self.switch, "nft", "-f", "-",
             text="table bridge cut\ndelete table bridge cut\ntable bridge cut {\n%s}\n" % hooks)

    def rate(self, i, mbit):
        """Slows what a host sends and gets; None: as fast as it goes."""
        for ns, dev in ((self.namespace(i), "eth0"), (self.switch, "s%d" % (i + 1))):
            with contextlib.suppress(OSError):
                _run("tc", "-n", ns, "qdisc", "del", "dev", dev, "root")
            if mbit:
                _run("tc", "-n", ns, "qdisc", "add", "dev", dev, "root", "tbf", "rate",
                     "%dmbit" % mbit, "burst", "256k", "latency", "50ms")

    def delay(self, i, seconds):
        """Each packet of a host, in both directions, takes so long. The kernels of small machines
        come without netem, so the link goes through a thread of this process from then on."""
        if i not in self._delays:
            self._delays[i] = self._lengthen(i)
        self._delays[i].delay_s = seconds

    def _lengthen(self, i):
        port, near, far = "s%d" % (i + 1), "n%d" % (i + 1), "f%d" % (i + 1)
        sw = ("ip", "-n", self.switch)
        _run(*sw, "link", "set", port, "nomaster")
        _run(*sw, "link", "add", "name", near, "type", "veth", "peer", "name", far)
        for dev in (near, far):
            _run(*sw, "link", "set", dev, "up")
        _run(*sw, "link", "set", far, "master", "bridge0")
        # Frames are copied as they are: whoever makes them computes the checksums.
        for dev in (port, near, far, "bridge0"):
            _compute_checksums(self.switch, dev)
        for j in range(len(self.addresses)):
            _compute_checksums(self.namespace(j), "eth0")
        return _Delay(self.switch, (port, near))
