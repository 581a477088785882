"""Rings change while clients write: nothing is lost, nothing comes back, and in the end each copy
is where the new rings want it."""
import os
import shutil
import signal

import pytest

from tests.cluster.rings import Load, Rings, copies, write_conf


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    from tests.harness.cluster import Cluster
    with Cluster(conf=write_conf(tmp_path_factory.mktemp("rings") / "rings.conf")) as c:
        yield c


@pytest.fixture
def rings(started):
    return Rings(started)


def check_places(rings, container, there, gone):
    for name in there:
        found = rings.explain("AUTH_test/%s/%s" % (container, name), "--all")
        section = found["objects"][0]
        assert copies(section) == [("primary", "data")] * 3, (name, section)
        assert found["settled"], (name, found["findings"])
    for name in gone:
        section = rings.explain("AUTH_test/%s/%s" % (container, name), "--all")["objects"][0]
        assert {place for place, _ in copies(section)} <= {"primary"}, (name, section)
        assert {state for _, state in copies(section)} <= {"deleted"}, (name, section)


def fill(cluster, container, count=60):
    client = cluster.client("tester")
    assert client.put(container).status == 201
    for i in range(count):
        assert client.put("%s/still-%d" % (container, i), b"still %d" % i).status == 201
    return client


def check(rings, container, load, client, count=60):
    rings.settle()
    for i in range(count):
        assert client.get("%s/still-%d" % (container, i)).body == b"still %d" % i
        load.known["still-%d" % i] = {b"still %d" % i}
    names = load.check(client)
    rings.cluster.wait_for(lambda: rings.explain("AUTH_test/" + container, "--all")["settled"],
                           what="container and account to settle")
    assert load.count.get(("put", 2), 0) > 10 and load.count.get(("get", 2), 0) > 10
    check_places(rings, container, names[::4], sorted(set(load.known) - set(names))[::2])
    return names


def held(rings):
    """How many objects and databases each device serves."""
    return [d.recon("replication/object")["replication_stats"]["attempted"] for d in rings.devices]


def test_reweight_remove_and_add(started, rings):
    client = fill(started, "moves")
    with Load(started, "moves") as load:
        rings.rebalance(("set_weight", "d4", "10"))
        rings.passes()
        rings.rebalance(("remove", "d4"))
        rings.passes()
        d5 = rings.devices[4]
        rings.rebalance(("add", "r1z5-127.0.0.1:%d/%s" % (d5.port, d5.name), "100"))
        rings.rebalance(("set_weight", "d0", "50"))
    check(rings, "moves", load, client)


def test_a_device_fails_and_is_replaced(started, rings):
    """Its process dies and its disk is lost; an empty one takes its place."""
    client = fill(started, "fails")
    victim = rings.devices[1]
    path = os.path.join(started.home, "devices", victim.name)
    with Load(started, "fails", seed=7) as load:
        pids = [p.pid for p in started.processes("needletail-objectd: " + victim.name)]
        assert len(pids) == 1
        os.kill(pids[0], signal.SIGSTOP)
        shutil.rmtree(path)
        os.kill(pids[0], signal.SIGKILL)
        started.wait_for(lambda: len(rings.up()) == 5, what="the device to be back")
        rings.passes()
    check(rings, "fails", load, client)
    assert held(rings)[1] > 0


def test_more_partitions(started, rings):
    """The part power is raised step by step, and no byte moves."""
    client = fill(started, "power")
    objects = [b for b in rings.builders if os.path.basename(b).startswith("object")]
    rings.settle()
    sent = [d.metric("needletail_replicator_bytes_total") for d in rings.devices]
    with Load(started, "power", seed=3) as load:
        for step in ("prepare_increase_partition_power", "increase_partition_power",
                     "finish_increase_partition_power"):
            rings.change((step,), ("write_ring",), builders=objects)
            for i in range(20):
                assert client.get("power/still-%d" % i).body == b"still %d" % i
    assert rings.explain("AUTH_test/power/still-1")["objects"][0]["ring_version"] > 0
    names = check(rings, "power", load, client)
    now = [d.metric("needletail_replicator_bytes_total") for d in rings.devices]
    assert sum(now) - sum(sent) < 200000, (sent, now)
    assert len(names) >= 60
    """Moving goes on as before."""
    with Load(started, "power", seed=5, known=load.known) as later:
        rings.rebalance(("set_weight", "d1", "70"))
        rings.passes()
    check(rings, "power", later, client)
