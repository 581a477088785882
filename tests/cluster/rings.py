"""A running cluster whose rings change: ringtool on its builders, passes of all its devices, a load
whose history is checked, and where every copy is in the end."""
import glob
import json
import os
import random
import subprocess
import threading

from tests.cluster.objectd_node import Device
from tests.harness.cluster import ROOT, SAIO_CONF

QUIET = ("\n[replicator]\ninterval = 1h\nnode_timeout = 3s\n[reconciler]\ninterval = 1h\n"
         "[reaper]\ninterval = 1h\n[updater]\nretry_max = 1s\ninterval = 1s\n")


def write_conf(path, devices=5, more=QUIET):
    """saio.conf with so many devices, whose background jobs wait to be called."""
    with open(SAIO_CONF) as f:
        text = f.read()
    for i in range(5, devices + 1):
        text += "\n[device:d%d]\nport = @port%d@\n" % (i, i)
    path.write_text(text + more)
    return str(path)


class Rings:
    def __init__(self, cluster, devices=5):
        self.cluster = cluster
        self.folder = os.path.join(cluster.home, "rings")
        self.devices = [Device("127.0.0.1", cluster.port + i, "d%d" % i)
                        for i in range(1, devices + 1)]
        self.builders = sorted(glob.glob(self.folder + "/*.builder.json"))
        assert self.builders

    def tool(self, builder, *args):
        done = subprocess.run([os.path.join(self.cluster.bin, "ringtool"), builder, *args],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), (args, done.stdout, done.stderr)
        return done.stdout

    def change(self, *commands, builders=None):
        """The commands on each builder, then new rings, which everybody takes up."""
        for builder in builders or self.builders:
            for command in commands:
                self.tool(builder, *command)
        self.take_up()

    def rebalance(self, *commands):
        self.change(*commands, ("pretend_min_part_hours_passed",), ("rebalance",))

    def take_up(self):
        for device in self.up():
            device.job("rings")

    def up(self):
        return [d for d in self.devices if d.answers()]

    def passes(self, rounds=2):
        """Of all replicators, while others may still be writing."""
        for _ in range(rounds):
            for device in self.devices:
                assert device.replicate(timeout_s=100)["unreachable"] == 0

    def settle(self, rounds=12):
        """Passes of all replicators until nothing is left to do."""
        for _ in range(rounds):
            done = [d.replicate(timeout_s=100) for d in self.devices]
            if not any(d[key] for d in done
                       for key in ("pushed", "failed", "forgotten", "databases", "unreachable")):
                return
        raise AssertionError("replication does not come to an end: %r" % done)

    def explain(self, path, *args):
        done = subprocess.run(
            [os.path.join(ROOT, "bin/needletail"), "explain", "--home", self.cluster.home,
             "--json", *args, path], capture_output=True, text=True, timeout=60,
            env=dict(os.environ, NEEDLETAIL_BIN=self.cluster.bin))
        assert done.returncode in (0, 1), done.stderr
        found = json.loads(done.stdout)
        assert found["settled"] == (done.returncode == 0)
        return found


def copies(section):
    """(place, state) of each device that has something."""
    return [(d["place"], d["has"]["state"]) for d in section["devices"] if d.get("has")]


class Load:
    """Threads that each write, read and delete names of their own, and know what they were told."""

    def __init__(self, cluster, container, threads=3, names=12, seed=1, known=None):
        self.cluster, self.container, self.names = cluster, container, names
        self.known = known or {}        # name -> what it may hold now (None: nothing)
        self.problems, self.count = [], {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i, random.Random(seed + i)),
                                          daemon=True) for i in range(threads)]

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for t in self._threads:
            t.join(60)
        assert not any(t.is_alive() for t in self._threads)

    def _run(self, number, rng):
        client = self.cluster.client("tester")
        serial = 0
        while not self._stop.is_set():
            name = "w%d-%d" % (number, rng.randrange(self.names))
            kind = rng.choice(("put", "put", "get", "get", "delete"))
            serial += 1
            try:
                getattr(self, "_" + kind)(client, name, b"%d-%d " % (number, serial) * 50)
            except OSError:
                client.close()
        client.close()

    def _note(self, kind, status):
        self.count[kind, status // 100] = self.count.get((kind, status // 100), 0) + 1

    def _put(self, client, name, body):
        before = self.known.get(name, {None})
        self.known[name] = before | {body}
        status = client.put("%s/%s" % (self.container, name), body).status
        self._note("put", status)
        if status == 201:
            self.known[name] = {body}

    def _delete(self, client, name, _body):
        before = self.known.get(name, {None})
        self.known[name] = before | {None}
        status = client.delete("%s/%s" % (self.container, name)).status
        self._note("delete", status)
        if status in (204, 404):
            self.known[name] = {None}

    def _get(self, client, name, _body):
        # Without X-Newest a replica that is slower than post_quorum_timeout may still show the
        # version before, as in Swift.
        res = client.get("%s/%s" % (self.container, name), headers={"X-Newest": "true"})
        self._note("get", res.status)
        if res.status >= 500:
            return
        found = None if res.status == 404 else res.body
        if found not in self.known.get(name, {None}):
            self.problems.append("%s: %d %r instead of %r" % (
                name, res.status, (found or b"")[:20],
                [(b or b"")[:20] for b in self.known.get(name, {None})]))

    def check(self, client):
        """Nothing lost, nothing back, and the listing says so; the names that are there."""
        assert not self.problems, "\n".join(self.problems)
        there = []
        for name, may in sorted(self.known.items()):
            res = client.get("%s/%s" % (self.container, name))
            assert res.status in (200, 404), (name, res)
            found = res.body if res.status == 200 else None
            assert found in may, (name, res)
            if found is not None:
                there.append(name)
        assert client.list(self.container) == there
        return there
