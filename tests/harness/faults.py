"""Faults between the proxy and its storage servers: relays that hang, cut, refuse or lie by
command, and a second proxy of a cluster whose rings lead through them (or were rebalanced)."""
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from tests.harness.client import Client
from tests.harness.ports import PortBlock

PIECE = 65536


def _reset(s):
    """Closes so that the other side gets a RST."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.shutdown(socket.SHUT_RD)      # a recv in another thread would keep it open
        s.close()
    except OSError:
        s.close()


class _Connection:
    """One connection through a relay: two threads, one per direction."""

    def __init__(self, relay, near):
        self.relay, self.near, self.far = relay, near, None
        self.sent = {"request": 0, "answer": 0}     # since the fault was set
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        for s in (self.near, self.far):
            if s:
                _reset(s)

    def _serve(self):
        try:
            fault = self.relay.fault
            if fault == "reset":
                return self.close()
            if fault == "canned":
                return self._canned()
            self.far = socket.create_connection(("127.0.0.1", self.relay.to), timeout=60)
            for s in (self.near, self.far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.settimeout(None)
            threading.Thread(target=self._pump, args=(self.far, self.near, "answer"),
                             daemon=True).start()
            self._pump(self.near, self.far, "request")
        except OSError:
            self.close()
        return None

    def _canned(self):
        """Reads a request (of a body, what Content-Length says) and gives the prepared answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length.group(1)):
            body += self._some()
        self.relay.canned += 1
        self.near.sendall(self.relay.answer)
        self.near.shutdown(socket.SHUT_WR)
        while self.near.recv(PIECE):
            pass
        self.near.close()

    def _some(self):
        data = self.near.recv(PIECE)
        if not data:
            raise OSError("closed")
        return data

    def _pump(self, source, sink, way):
        try:
            while True:
                data = source.recv(PIECE)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if not self._pass(data, sink, way):
                    return
        except OSError:
            self.close()

    def _pass(self, data, sink, way):
        """Forwards what the fault lets through. False: nothing more comes."""
        relay = self.relay
        if relay.fault == "hang":
            return True
        while relay.fault == "clog":
            time.sleep(0.02)
        if relay.fault == "slow" and way == "answer":
            time.sleep(relay.delay_s)
        if relay.fault in ("cut", "stall") and way == relay.way:
            room = max(0, relay.after - self.sent[way])
            sink.sendall(data[:room])
            self.sent[way] += len(data)
            if len(data) >= room:
                relay.hits += 1
                if relay.fault == "cut":
                    self.close()
                    return False
            return True
        sink.sendall(data)
        relay.passed[way] += len(data)
        return True


class Relay:
    """Listens on port and forwards to the port `to` of this machine, or does what set() told:

    pass         forwards
    refuse       does not listen
    unreachable  connections are never completed
    reset        accepts and resets
    hang         accepts and swallows everything
    clog         accepts and reads nothing more
    slow         each piece of an answer comes delay_s later
    cut, stall   resets, or goes silent, after so many bytes of each "request" or "answer"
    canned       answers with these bytes, whatever the request is
    """

    def __init__(self, port, to):
        self.port, self.to = port, to
        self.fault, self.way, self.after, self.delay_s = "pass", "answer", 0, 0.0
        self.answer, self.canned, self.hits = b"", 0, 0
        self.passed = {"request": 0, "answer": 0}       # bytes, more or less
        self._listener, self._fillers, self._connections = None, [], []
        self._lock = threading.Lock()
        self._listen()

    def _listen(self, backlog=128):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", self.port))
        s.listen(backlog)
        self._listener = s
        return s

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(_Connection(self, near))

    def _unlisten(self):
        for s in self._fillers:
            s.close()
        self._fillers = []
        if self._listener:
            try:
                self._listener.shutdown(socket.SHUT_RDWR)   # wakes accept
            except OSError:
                pass
            self._listener.close()
        self._listener = None

    def start(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def set(self, fault="pass", way="answer", after=0, delay_s=0.0, answer=b""):
        """Connections that are open get to feel it too; all but those that merely hang, stall or
        are late from now on are reset."""
        with self._lock:
            connections, self._connections = self._connections, []
            self.way, self.after, self.delay_s, self.answer = way, after, delay_s, answer
            self.fault = fault
            self.hits = self.canned = 0
            if fault in ("hang", "clog", "stall", "slow", "cut"):
                self._connections = connections
                for c in connections:
                    c.sent = {"request": 0, "answer": 0}
                connections = []
        self._unlisten()
        for c in connections:
            c.close()
        if fault == "unreachable":
            self._listen(0)
            for _ in range(8):      # more than the queue holds: SYNs are dropped from then on
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", self.port))
                self._fillers.append(s)
        elif fault != "refuse":
            self._listen()
            self.start()

    def close(self):
        self._unlisten()
        with self._lock:
            for c in self._connections:
                c.close()


def _edit(text, section, key, value):
    """Sets a key of a section, in place of what is there."""
    head = "[%s]\n" % section
    assert head in text, section
    before, _, rest = text.partition(head)
    end = rest.find("\n[")
    body, after = (rest, "") if end < 0 else (rest[:end], rest[end:])
    body = re.sub(r"(?m)^%s *=.*\n?" % re.escape(key), "", body)
    return before + head + "%s = %s\n" % (key, value) + body + after


class SecondProxy:
    """A proxy of its own (one worker) for the devices of a cluster, with rings that change() has
    altered: change(ringtool, builders), where ringtool(*args) runs it and builders are the paths of
    their builders by the ring's name. options: (section, key, value)."""

    def __init__(self, cluster, change=None, options=()):
        self.cluster, self.host = cluster, "127.0.0.1"
        self._ports = PortBlock()
        self.port = self._ports.first
        # A port may come again in the life of a cluster.
        self.folder = tempfile.mkdtemp(prefix="proxy-", dir=cluster.home)
        logs = os.path.join(cluster.home, "log", os.path.basename(self.folder))
        self.rings = os.path.join(self.folder, "rings")
        shutil.copytree(os.path.join(cluster.home, "rings"), self.rings)
        self.builders = {n[:-len(".builder.json")]: os.path.join(self.rings, n)
                         for n in os.listdir(self.rings) if n.endswith(".builder.json")}
        with open(os.path.join(cluster.home, "needletail.conf")) as f:
            text = f.read()
        for section, key, value in [("cluster", "ring_dir", self.rings),
                                    ("log", "dir", logs),
                                    ("proxy", "bind_port", self.port),
                                    ("proxy", "workers", 1)] + list(options):
            text = _edit(text, section, key, value)
        os.makedirs(logs)
        self.conf = os.path.join(self.folder, "needletail.conf")
        with open(self.conf, "w") as f:
            f.write(text)
        if change:
            change(self.ringtool, self.builders)
        self.process = None

    def ringtool(self, *args):
        done = subprocess.run([os.path.join(self.cluster.bin, "ringtool")] + list(args),
                              capture_output=True, text=True)
        assert done.returncode <= 1, done.stdout + done.stderr
        return done.stdout

    def start(self):
        with open(os.path.join(self.folder, "stderr"), "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.cluster.bin, "needletail-proxy"), "--conf", self.conf],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            assert self.process.poll() is None, open(os.path.join(self.folder, "stderr")).read()
            try:
                return Client(self.host, self.port).get("/healthcheck").status == 200
            except OSError:
                return False
        self.cluster.wait_for(ready, what="the second proxy", step_s=0.02)
        return self

    def client(self, user="tester", **kw):
        return Client(self.host, self.port, user, **kw)

    def metric(self, name):
        """The sum of a metric's values, whatever their labels."""
        text = self.client(None).get("/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if re.match(re.escape(name) + r"[ {]", line))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
        self.process = None
        self._ports.release()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class FaultyProxy(SecondProxy):
    """A second proxy that reaches device dN through relays[N]."""

    def __init__(self, cluster, devices=4, options=()):
        self._relay_ports = PortBlock()
        self.relays = {n: Relay(self._relay_ports.first + n, cluster.port + n).start()
                       for n in range(1, devices + 1)}

        def through_relays(ringtool, builders):
            for builder in builders.values():
                for n, relay in self.relays.items():
                    there = "127.0.0.1:%d" % relay.port
                    ringtool(builder, "set_info", "z%d" % n, "%sR127.0.0.1:%d/d%d"
                             % (there, cluster.port + n, n))
                ringtool(builder, "write_ring")
        # A full disk is left alone for that long.
        options = [("proxy", "error_suppression_interval", "2s")] + list(options)
        super().__init__(cluster, through_relays, options)

    def heal(self):
        """No faults any more, and the proxy knows it."""
        for relay in self.relays.values():
            if relay.fault != "pass":
                relay.set()
        self.cluster.wait_for(lambda: self.metric("needletail_proxy_nodes_aside") == 0,
                              what="all devices back")

    def stop(self):
        super().stop()
        for relay in self.relays.values():
            relay.close()
        self._relay_ports.release()
