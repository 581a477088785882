"""Bringing home: after passes of the replicators every primary has what any device had, and
handoffs have nothing left."""
import os
import signal

import pytest

from tests.cluster.objectd_node import Objectd, container_headers, md5, timestamp, wait_for

CONF = ("[replicator]\ninterval = 1h\nnode_timeout = 2s\n"
        "[objectd]\nconn_timeout = 300ms\nnode_timeout = 1s\n[updater]\nretry_max = 1s\n")


@pytest.fixture(scope="module")
def nodes():
    with Objectd(4, CONF) as n:
        yield n


_count = [0]


@pytest.fixture
def name():
    _count[0] += 1
    return "o%d" % _count[0]


class Placed:
    """The devices of an object (or, without obj, a container)."""

    def __init__(self, nodes, container, obj=None, policy=0):
        self.part, primaries = nodes.placement.nodes("a", container, obj, policy)
        self.primaries = [nodes.device_of(p) for p in primaries]
        self.handoffs = [nodes.device_of(h)
                         for h in nodes.placement.handoffs("a", container, obj, policy)]
        self.policy = policy
        self.path = "a/" + container + ("/" + obj if obj else "")

    def get(self, device, headers=None):
        return device.get(self.path, headers, part=self.part, policy=self.policy)


def put(p, device, body=b"data", headers=None):
    res = device.put(p.path, body, headers, part=p.part, policy=p.policy)
    assert res.status == 201, res


def test_missing_copies(nodes, name):
    p = Placed(nodes, "c", name)
    ts = timestamp()
    put(p, p.primaries[0], b"hello", {
        "X-Timestamp": ts, "Content-Type": "image/png", "X-Object-Meta-A": "1",
        "X-Object-Sysmeta-B": "2", "X-Object-Transient-Sysmeta-C": "3", "Cache-Control": "none"})
    done = p.primaries[0].replicate()
    assert done["failed"] == 0 and done["pushed"] >= 2
    for device in p.primaries:
        res = p.get(device)
        assert (res.status, res.body, res.get("ETag")) == (200, b"hello", '"%s"' % md5(b"hello"))
        assert res.get("X-Timestamp") == ts
        assert [res.get(h) for h in ("Content-Type", "X-Object-Meta-A", "X-Object-Sysmeta-B",
                                     "X-Object-Transient-Sysmeta-C", "Cache-Control")] == \
            ["image/png", "1", "2", "3", "none"]
    assert p.get(p.handoffs[0]).status == 404
    assert p.primaries[0].replicate()["pushed"] == 0


def test_large_objects(nodes, name):
    p = Placed(nodes, "c", name)
    body = os.urandom((5 << 20) + 3)
    put(p, p.primaries[1], body)
    assert p.primaries[1].replicate()["failed"] == 0
    assert all(p.get(d).body == body for d in p.primaries)


def test_newer_wins(nodes, name):
    p = Placed(nodes, "c", name)
    put(p, p.primaries[0], b"old", {"X-Timestamp": timestamp(-10)})
    put(p, p.primaries[1], b"new", {"X-Timestamp": timestamp(-5)})
    for device in p.primaries:
        device.replicate()
    assert [p.get(d).body for d in p.primaries] == [b"new"] * 3


def test_metadata(nodes, name):
    p = Placed(nodes, "c", name)
    for device in p.primaries:
        put(p, device, b"x", {"X-Timestamp": "1400000000.00000", "X-Object-Meta-A": "1",
                              "X-Object-Sysmeta-S": "s", "Content-Type": "a/b;swift_bytes=9"})
    post = timestamp()
    p.primaries[0].post(p.path, {"X-Timestamp": post, "X-Object-Meta-B": "2",
                                 "Content-Type": "c/d"}, part=p.part)
    p.primaries[0].replicate()
    for device in p.primaries:
        res = p.get(device)
        assert (res.get("X-Timestamp"), res.get("X-Backend-Data-Timestamp")) == \
            (post, "1400000000.00000")
        assert [res.get(h) for h in ("X-Object-Meta-A", "X-Object-Meta-B", "X-Object-Sysmeta-S",
                                     "Content-Type")] == [None, "2", "s", "c/d"]
    """A device that missed even the data gets both, under both times."""
    q = Placed(nodes, "c", name + "-late")
    put(q, q.primaries[0], b"x", {"X-Timestamp": "1400000000.00000"})
    q.primaries[0].post(q.path, {"X-Timestamp": post, "X-Object-Meta-B": "2"}, part=q.part)
    q.primaries[0].replicate()
    for device in q.primaries:
        res = q.get(device)
        assert (res.get("X-Timestamp"), res.get("X-Backend-Data-Timestamp")) == \
            (post, "1400000000.00000")
        assert res.get("X-Object-Meta-B") == "2" and res.get("Content-Type") == "text/plain"


def test_metadata_for_newer_data(nodes, name):
    """Each device has what the other lacks: newer data there, a newer POST here."""
    p = Placed(nodes, "c", name)
    put(p, p.primaries[0], b"old", {"X-Timestamp": timestamp(-10)})
    put(p, p.primaries[1], b"new", {"X-Timestamp": timestamp(-5)})
    post = timestamp(-3)
    p.primaries[0].post(p.path, {"X-Timestamp": post, "X-Object-Meta-A": "1"}, part=p.part)
    for device in p.primaries[:2]:
        device.replicate()
    for device in p.primaries:
        res = p.get(device)
        assert (res.body, res.get("X-Object-Meta-A"), res.get("X-Timestamp")) == (b"new", "1", post)


def test_deletions(nodes, name):
    p = Placed(nodes, "c", name)
    for device in p.primaries:
        put(p, device, b"x", {"X-Timestamp": timestamp(-10)})
    ts = timestamp()
    p.primaries[2].delete(p.path, {"X-Timestamp": ts}, part=p.part)
    p.primaries[0].replicate()
    assert p.get(p.primaries[2]).status == 404
    p.primaries[2].replicate()
    for device in p.primaries:
        res = p.get(device)
        assert res.status == 404 and res.get("X-Backend-Timestamp") == ts


def test_handoffs_give_back(nodes, name):
    p = Placed(nodes, "c", name)
    put(p, p.handoffs[0], b"far from home")
    done = p.handoffs[0].replicate()
    assert done["failed"] == 0 and done["forgotten"] >= 1
    assert [p.get(d).body for d in p.primaries] == [b"far from home"] * 3
    res = p.get(p.handoffs[0])
    assert res.status == 404 and res.get("X-Backend-Timestamp") is None


def test_other_policies(nodes, name):
    p = Placed(nodes, "c", name, policy=1)
    put(p, p.handoffs[0], b"silver")
    p.handoffs[0].replicate()
    assert [p.get(d).body for d in p.primaries] == [b"silver"] * 2
    assert p.get(p.handoffs[0]).status == 404
    assert p.primaries[0].get(p.path, part=p.part, policy=0).status == 404


def test_tombstones_on_handoffs(nodes, name):
    p = Placed(nodes, "c", name)
    for device in p.primaries:
        put(p, device, b"x", {"X-Timestamp": timestamp(-10)})
    assert p.handoffs[0].delete(p.path, part=p.part).status == 404
    p.handoffs[0].replicate()
    assert [p.get(d).status for d in p.primaries] == [404] * 3
    assert p.get(p.handoffs[0]).get("X-Backend-Timestamp") is None


def test_nothing_is_forgotten_too_early(nodes, name):
    p = Placed(nodes, "c", name)
    away = p.primaries[2]
    pid = nodes.worker(away.name)
    os.kill(pid, signal.SIGSTOP)
    try:
        put(p, p.handoffs[0], b"precious")
        done = p.handoffs[0].replicate()
        assert done["forgotten"] == 0 and done["unreachable"] == 1
        assert p.get(p.handoffs[0]).body == b"precious"
        assert [p.get(d).body for d in p.primaries[:2]] == [b"precious"] * 2
    finally:
        os.kill(pid, signal.SIGCONT)
    """It notices by itself that the device is back."""
    wait_for(lambda: p.get(p.handoffs[0]).status == 404, what="the handoff's copy to go")
    assert p.get(away).body == b"precious"


def test_containers(nodes, name):
    p = Placed(nodes, name)
    first = p.primaries[0]
    first.make_container(p.path, p.part)
    first.post(p.path, {"X-Container-Meta-Colour": "red"}, part=p.part)
    for i in range(10):
        first.put("%s/o%d" % (p.path, i), b"x", container_headers(first, p.part))
    first.delete(p.path + "/o5", container_headers(first, p.part))
    assert first.replicate()["failed"] == 0
    for device in p.primaries:
        assert device.listing(p.path, p.part) == ["o%d" % i for i in range(10) if i != 5]
        res = device.head(p.path, part=p.part)
        assert res.get("X-Container-Object-Count") == "9"
        assert res.get("X-Container-Meta-Colour") == "red"
    assert p.handoffs[0].listing(p.path, p.part) is None


def test_containers_merge(nodes, name):
    p = Placed(nodes, name)
    for k, device in enumerate(p.primaries):
        device.make_container(p.path, p.part)
        device.put("%s/o%d" % (p.path, k), b"x", container_headers(device, p.part))
    for device in p.primaries:
        device.replicate()
    for device in p.primaries:
        assert device.listing(p.path, p.part) == ["o0", "o1", "o2"]


def test_large_containers(nodes, name):
    """Many rows, of which few differ: only their ranges travel."""
    p = Placed(nodes, name)
    one, two = p.primaries[:2]
    one.make_container(p.path, p.part)
    add_rows(one, p, range(3000))
    one.replicate()
    assert len(two.listing(p.path, p.part)) == 3000
    add_rows(one, p, [1500.5])
    before = sent_bytes(one)
    one.replicate()
    assert "o001500.5" in two.listing(p.path, p.part)
    assert sent_bytes(one) - before < 200000
    assert len(p.primaries[2].listing(p.path, p.part)) == 3001


def add_rows(device, p, numbers):
    from tests.harness.raw import Raw
    with Raw(device.ip, device.port) as raw:
        for i in numbers:
            raw.send("PUT /%s/%d/%s/o%08.1f HTTP/1.1\r\nHost: x\r\nX-Timestamp: %s\r\nX-Size: 1\r\n"
                     "X-Etag: x\r\nX-Content-Type: a/b\r\nContent-Length: 0\r\n"
                     "User-Agent: object-server 1\r\nX-Backend-Storage-Policy-Index: 0\r\n\r\n"
                     % (device.name, p.part, p.path, i, timestamp()))
            assert raw.response().status == 201


def sent_bytes(device):
    page = device.request("GET", "", raw_path="/metrics").body.decode()
    return sum(int(line.split()[1]) for line in page.splitlines()
               if line.startswith('needletail_replicator_bytes_total{device="%s"}' % device.name))


def test_container_handoffs(nodes, name):
    p = Placed(nodes, name)
    stand_in = p.handoffs[0]
    stand_in.make_container(p.path, p.part)
    stand_in.put(p.path + "/o", b"x", container_headers(stand_in, p.part))
    stand_in.replicate()
    for device in p.primaries:
        assert device.listing(p.path, p.part) == ["o"]
    assert stand_in.listing(p.path, p.part) is None


def test_longer_life_is_not_cut_short(name):
    """A device that missed the POST that removed X-Delete-At must not delete the object for all."""
    with Objectd(3, CONF + "[expirer]\ninterval = 200ms\n") as n:
        p = Placed(n, "c", name)
        q = Placed(n, "c", name + "q")
        at, ts = str(int(float(timestamp(2)))), timestamp(-1)
        for device in p.primaries:
            put(p, device, b"x", {"X-Delete-At": at, "X-Timestamp": ts})
            put(q, device, b"x", {"X-Delete-At": at, "X-Timestamp": ts})
        p.primaries[0].post(p.path, part=p.part)
        gone = {"X-Backend-Replication": "true"}
        wait_for(lambda: all(q.get(d, gone).status == 404 for d in q.primaries), what="the expiry")
        assert [p.get(d, gone).status for d in p.primaries] == [200] * 3
        p.primaries[0].replicate()
        assert [p.get(d).status for d in p.primaries] == [200] * 3


def test_device_that_was_empty(name):
    """A new disk in place of an old one is filled by the others."""
    with Objectd(3, CONF.replace("interval = 1h", "interval = 300ms")) as n:
        paths = {}
        for i in range(30):
            p = Placed(n, "c", "o%d" % i)
            for device in p.primaries:
                put(p, device, b"%d" % i)
            paths[i] = p
        n.stop()
        import shutil
        shutil.rmtree(os.path.join(n.home, "devices", "d2"))
        n.start()
        fresh = n.device(1)
        wait_for(lambda: all(paths[i].get(fresh).body == b"%d" % i for i in paths),
                 what="all objects")


def test_many_small_objects_travel_together(name):
    """Objects, POSTs, deletions and older versions, a few hundred of each, in a few requests."""
    with Objectd(3, CONF) as n:
        full, empty = n.device(0), n.device(2)
        placed = [Placed(n, "c", "%s-%d" % (name, i)) for i in range(700)]
        for i, p in enumerate(placed):
            ts = timestamp(-100)
            put(p, full, b"%d" % i * (i % 50), {"X-Timestamp": ts, "X-Object-Meta-N": str(i)})
            if i % 7 == 0:
                put(p, empty, b"older", {"X-Timestamp": timestamp(-200)})
            if i % 5 == 0:
                full.post(p.path, {"X-Object-Meta-Posted": str(i)}, part=p.part)
            if i % 11 == 0:
                full.delete(p.path, part=p.part)
        before = empty.metric("needletail_objectd_requests_total")
        done = full.replicate()
        assert (done["failed"], done["unreachable"]) == (0, 0) and done["pushed"] >= 1400
        """Partitions are compared singly; what they lack comes in one request each."""
        assert empty.metric("needletail_objectd_requests_total") - before < 100
        for i, p in enumerate(placed):
            res = p.get(empty)
            assert res.status == (404 if i % 11 == 0 else 200), i
            if i % 11:
                assert res.body == b"%d" % i * (i % 50)
                assert res.get("X-Object-Meta-Posted") == (str(i) if i % 5 == 0 else None)
                assert res.get("X-Object-Meta-N") == (None if i % 5 == 0 else str(i))
        for device in n.devices():
            assert device.replicate()["pushed"] == 0


def test_more_metadata_than_one_request_holds(name):
    with Objectd(2, CONF) as n:
        full, empty = n.devices()
        heavy = {"X-Object-Sysmeta-%d" % i: str(i) * 8000 for i in range(8)}
        placed = [Placed(n, "c", "%s-%d" % (name, i)) for i in range(3000)]
        placed = [p for p in placed if p.part == placed[0].part]
        for p in placed:
            put(p, full, b"x", heavy)
        done = full.replicate()
        assert (done["failed"], done["pushed"]) == (0, len(placed))
        for p in placed[::10]:
            assert p.get(empty).get("X-Object-Sysmeta-5") == "5" * 8000


def test_progress(nodes, name):
    p = Placed(nodes, "c", name)
    put(p, p.primaries[0])
    p.primaries[0].replicate()
    for kind in ("account", "container", "object"):
        page = p.primaries[0].recon("replication/" + kind)
        now = page["needletail"]
        assert page["replication_last"] > 0 and page["replication_stats"]["failure"] == 0
        assert (now["running"], now["progress"], now["estimated_end"]) == (False, 1.0, None)
        assert now["started"] <= page["replication_last"]
        assert now["bytes_per_second_max"] > 0
    assert p.primaries[0].recon("replication/object")["replication_stats"]["success"] >= 2
    assert p.primaries[0].metric("needletail_replication_percent") == 300
    res = p.primaries[0].request("GET", "", raw_path="/recon/replication/nonsense")
    assert res.status == 404


def test_others_may_not_trigger_it(nodes):
    device = nodes.device()
    assert device.request("GET", "", raw_path="/d1/0/.needletail/replicate").status == 405
    assert device.request("POST", "", raw_path="/d1/0/.needletail/nonsense").status == 404
    for what in ("digest", "missing", "objects", "db-compare", "db-ranges", "db-import", "rows"):
        for body in (b"", b"x", b"\xff" * 100):
            path = "/d1/0/.needletail/" + what
            status = device.request("POST", "", body=body, raw_path=path).status
            assert status in (200, 400, 404), (what, body, status)
