"""kill -9 of any process at any moment under load: nothing acknowledged is lost, nothing
half-written is served, nothing deleted comes back, and the listings agree."""
import hashlib
import http.client
import os
import random
import socket
import threading
import time

import pytest

from tests.harness import swift
from tests.harness.cluster import SAIO_CONF

WRITERS = 6
SECONDS = float(os.environ.get("NEEDLETAIL_CRASH_SECONDS", "40"))
SIZES = (0, 1, 100, 4096, 4097, 70000, 300000, 1500000)


def body_of(name, version, size):
    """Bytes that tell which name and version they belong to."""
    seed = hashlib.sha256(("%s %d" % (name, version)).encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


class Writer(threading.Thread):
    """Changes its own names in turn and keeps what it was told. Per name: a list of the states that
    may be true now: each (version, size), or None for deleted; one element when the last change was
    acknowledged, more when the answer to a change never came."""

    def __init__(self, cluster, container, number, stop):
        super().__init__(daemon=True)
        self.cluster, self.container, self.number, self.stop = cluster, container, number, stop
        self.random = random.Random("%s %d" % (container, number))
        self.states, self.version, self.acknowledged = {}, 0, 0
        self.errors = []

    def run(self):
        client = None
        while not self.stop.is_set():
            try:
                if client is None:
                    client = self.cluster.client("tester")
                self.step(client)
            except (OSError, http.client.HTTPException, AssertionError, socket.timeout):
                if client is not None:
                    client.close()
                client = None
                time.sleep(0.05)
            except Exception as e:  # a mistake of the test must show
                self.errors.append(repr(e))
                return

    def step(self, client):
        name = "w%d-%d" % (self.number, self.random.randrange(40))
        path = self.container + "/" + name
        before = self.states.get(name, [None])
        self.version += 1
        if self.random.random() < 0.25:
            new = None
            self.states[name] = before + [new]
            status = client.delete(path).status
            good = (204, 404)
        else:
            new = (self.version, self.random.choice(SIZES))
            self.states[name] = before + [new]
            status = client.put(path, body=body_of(name, *new)).status
            good = (201,)
        if status in good:
            self.states[name] = [new]
            self.acknowledged += 1
        elif status < 500 and status not in (404, 408, 499, 202):
            self.errors.append("%s answered %d" % (path, status))


def check(cluster, container, writers):
    client = connect(cluster)
    wrong, live, open_names = [], set(), set()
    for w in writers:
        for name, states in w.states.items():
            res = get(client, container + "/" + name)      # of the newest replica
            if res.status == 404:
                found = None
            else:
                found = next((s for s in states if s and len(res.body) == s[1] and
                              body_of(name, *s) == res.body),
                             "other bytes of %s" % res.headers["X-Timestamp"])
                if res.headers["Etag"] != swift.md5(res.body):
                    wrong.append("%s: ETag and bytes differ" % name)
            if found not in states:
                wrong.append("%s is %s; it may be %s" % (name, found or res, states))
            if len(states) > 1:
                open_names.add(name)
            if found is not None:
                live.add(name)
    listed = set(client.list(container))
    for name in (listed ^ live) - open_names:
        wrong.append("%s is %s" % (name, "listed, not there" if name in listed else "not listed"))
    client.close()
    assert not wrong, wrong[:20]
    return len(live)


def get(client, path):
    """GET, waiting for devices that are just starting again."""
    for _ in range(100):
        try:
            res = client.get(path, headers={"X-Newest": "true"})
            if res.status in (200, 404):
                return res
        except (OSError, http.client.HTTPException):
            client.close()
        time.sleep(0.1)
    raise AssertionError("%s cannot be read" % path)


def workers(cluster):
    """The processes that a master starts again."""
    ours = cluster.processes("needletail-")
    masters = {p.pid for p in ours}
    return [p for p in ours if p.parent in masters]


def restless(folder):
    """The usual configuration, with workers that are started again soon however often they die."""
    with open(SAIO_CONF) as f:
        text = f.read()
    assert "[cluster]" in text
    conf = folder / "restless.conf"
    conf.write_text(text.replace("[cluster]", "[cluster]\nrestart_pause_max = 100ms"))
    return str(conf)


def connect(cluster):
    """A client, as soon as a proxy worker is there."""
    for _ in range(300):
        try:
            return cluster.client("tester")
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    raise AssertionError("no proxy answers")


@pytest.mark.limit_s(int(SECONDS) * 3 + 120)
def test_kill_any_process_under_load(make_cluster, tmp_path):
    cluster = make_cluster(conf=restless(tmp_path))
    client = cluster.client("tester")
    container = "crash"
    assert client.put(container).status == 201
    client.close()
    chance = random.Random(int(os.environ.get("NEEDLETAIL_SEED", "1")))
    stop, kills, everything = threading.Event(), 0, 0
    writers = [Writer(cluster, container, i, stop) for i in range(WRITERS)]
    for w in writers:
        w.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.02, 0.5))
        if chance.random() < 0.05:
            cluster.kill_all()
            everything += 1
            cluster.start()
            continue
        victims = workers(cluster)
        if victims:
            os.kill(chance.choice(victims).pid, 9)
            kills += 1
    stop.set()
    for w in writers:
        w.join(60)
        assert not w.errors, w.errors
    acknowledged = sum(w.acknowledged for w in writers)
    live = check(cluster, container, writers)
    cluster.restart()
    assert check(cluster, container, writers) == live
    print("%d kills, %d of everything, %d acknowledged changes" % (kills, everything, acknowledged))
    assert kills + everything > SECONDS / 2 and acknowledged > SECONDS
