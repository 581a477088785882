"""Right after a rebalance, before any replicator ran: what was there is found at its previous
owners, what is deleted or changed stays so, and 404 is only said where that is proven."""
import glob
import os
import shutil
import signal
import tempfile

import pytest

from tests.cluster.objectd_node import Device
from tests.conftest import _end, _start
from tests.harness import swift
from tests.harness.cluster import SAIO_CONF
from tests.harness.faults import SecondProxy

NAMES = ["o%02d" % i for i in range(80)]
BOXES = ["box%d" % i for i in range(8)]


def move(ringtool, builders):
    """Everything in two replicas leaves d1 and d2; in three replicas, d1."""
    for name, builder in builders.items():
        for zone in ("z1", "z2") if name == "object-1" else ("z1",):
            ringtool(builder, "set_weight", zone, "0")
        for _ in range(3):
            ringtool(builder, "pretend_min_part_hours_passed")
            ringtool(builder, "rebalance")


@pytest.fixture(scope="module")
def moved():
    """A second proxy whose rings are ahead of the devices', so that nothing moves yet."""
    with open(SAIO_CONF) as f, tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(f.read() + "\n[replicator]\ninterval = 1h\n")
        conf.flush()
        cluster = _start(conf=conf.name)
    try:
        c = cluster.client()
        assert c.put("gold").status == 201
        assert c.put("silver", headers={"X-Storage-Policy": "silver"}).status == 201
        for box in BOXES:
            assert c.put(box).status == 201
        for name in NAMES:
            for container in ("gold", "silver"):
                assert c.put("%s/%s" % (container, name), name.encode()).status == 201
        c.close()
        with SecondProxy(cluster, move) as proxy:
            yield cluster, proxy
    finally:
        _end(cluster)


@pytest.fixture
def client(moved):
    cluster, proxy = moved
    cluster.wait_for(lambda: proxy.metric("needletail_proxy_nodes_aside") == 0)
    c = proxy.client()
    yield c
    c.close()


def device(cluster, n):
    return Device("127.0.0.1", cluster.port + n, "d%d" % n)


def holders(cluster, path, policy=1):
    return [n for n in range(1, 5)
            if device(cluster, n).head("AUTH_test/" + path, policy=policy).status == 200]


def fully_moved(cluster, names):
    """Names of silver objects that are on d1 and d2 only: no primary has them now."""
    return [n for n in names if holders(cluster, "silver/" + n) == [1, 2]]


def test_what_was_there_is_found(moved, client):
    cluster, proxy = moved
    assert fully_moved(cluster, NAMES)
    asked = proxy.metric("needletail_proxy_previous_owners_total")
    for container in ("gold", "silver"):
        for name in NAMES:
            for headers in ({}, {"X-Newest": "true"}):
                res = client.get("%s/%s" % (container, name), headers=headers)
                assert (res.status, res.body) == (200, name.encode())
            assert client.head("%s/%s" % (container, name)).status == 200
        assert client.list(container) == NAMES
        assert client.get(container + "/nothing").status == 404
        assert client.head(container).headers["X-Container-Object-Count"] == str(len(NAMES))
    assert client.list("") == BOXES + ["gold", "silver"]
    assert proxy.metric("needletail_proxy_previous_owners_total") > asked


def test_a_previous_owner_is_the_only_one_that_is_left(moved, client):
    """The two primaries that have it are away; so 404 of the third would prove nothing."""
    cluster, proxy = moved
    name = next(n for n in NAMES if holders(cluster, "gold/" + n, 0) == [1, 2, 3])
    for n in (2, 3):
        assert cluster.kill("needletail-objectd: d%d" % n, signal.SIGSTOP) == 1
    try:
        assert client.get("gold/" + name).body == name.encode()
        assert cluster.kill("needletail-objectd: d3", signal.SIGCONT) == 1
        cluster.wait_for(lambda: proxy.metric("needletail_proxy_nodes_aside") == 1)
        # Two of three primaries say that there is nothing. With the third, which is away, a
        # previous owner may have been a quorum; where there is none, that is proof.
        assert {client.get("gold/nothing-%d" % i).status for i in range(40)} == {404}
        assert cluster.kill("needletail-objectd: d1", signal.SIGSTOP) == 1
        assert {client.get("gold/nothing-%d" % i).status for i in range(40)} == {404, 503}
        assert cluster.kill("needletail-objectd: d3", signal.SIGSTOP) == 1
        assert client.get("gold/" + name).status == 503
    finally:
        for n in (1, 2, 3):
            cluster.kill("needletail-objectd: d%d" % n, signal.SIGCONT)
    cluster.wait_for(lambda: client.get("gold/" + name).status == 200)


def test_listings_hear_previous_owners(moved, client):
    """A row that a quorum had before the rebalance: d1 and one that is primary still."""
    cluster, _ = moved
    box, by_container = next((b, found) for b, found in (
        (b, [n for n in range(1, 5)
             if device(cluster, n).request("HEAD", "AUTH_test/" + b).status == 204])
        for b in BOXES) if 1 in found)
    headers = {"X-Size": "5", "X-Content-Type": "x/y", "X-Etag": "e" * 32,
               "User-Agent": "object-updater 1"}
    rows = []
    for k, pair in enumerate([(by_container[0], by_container[1]),
                              (by_container[0], by_container[2])]):
        for n in pair:
            res = device(cluster, n).request("PUT", "AUTH_test/%s/row%d" % (box, k), dict(
                headers, **{"X-Timestamp": swift.timestamp()}))
            assert res.status in (201, 202)
        rows.append("row%d" % k)
    for _ in range(8):          # which ones are asked is a matter of chance
        assert client.list(box) == rows


def test_changes_before_the_replicators_ran(moved, client):
    cluster, _ = moved
    names = fully_moved(cluster, NAMES)
    assert len(names) >= 3, names
    gone, changed, replaced = ("silver/" + n for n in names[:3])
    assert client.delete(gone).status == 204
    assert client.get(gone).status == 404
    assert client.delete(gone).status == 404
    assert client.post(changed, headers={"X-Object-Meta-A": "b"}).status == 202
    res = client.get(changed)
    assert res.headers["X-Object-Meta-A"] == "b" and res.body == changed[7:].encode()
    assert client.put(replaced, b"new").status == 201
    assert client.get(replaced).body == b"new"
    assert client.post("silver/nothing", headers={"X-Object-Meta-A": "b"}).status == 404
    # Then the rings come to the devices, and everything comes home.
    folder = os.path.join(cluster.home, "rings")
    for ring in glob.glob(os.path.join(moved[1].rings, "*.ring.gz")):
        shutil.copy(ring, folder + "/new")
        os.rename(folder + "/new", os.path.join(folder, os.path.basename(ring)))
    cluster.wait_for(lambda: all(
        holders(cluster, "silver/" + n) == [3, 4] for n in names[1:]), wait_s=60,
        what="objects at home")
    for n in range(1, 5):
        assert device(cluster, n).head("AUTH_test/" + gone, policy=1).status == 404
    assert client.get(gone).status == 404
    assert client.head(changed).headers["X-Object-Meta-A"] == "b"
    assert client.get(replaced).body == b"new"
