"""A proxy whose rings are older than those of the storage servers is told, and catches up."""
import os
import shutil

import pytest

from tests.cluster.rings import Rings, copies, write_conf
from tests.harness.client import Client
from tests.harness.ports import PortBlock
from tests.harness.proxy import SecondProxy


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    from tests.harness.cluster import Cluster
    with Cluster(conf=write_conf(tmp_path_factory.mktemp("stale") / "stale.conf")) as c:
        yield c


def ask(device, path, part, version):
    return device.get(path, {"X-Needletail-Ring": version}, part=part)


def test_who_is_refused(started):
    rings = Rings(started)
    client = started.client("tester")
    assert client.put("who").status == 201
    assert client.put("who/o", b"x").status == 201
    section = rings.explain("AUTH_test/who/o", "--all")["objects"][0]
    part, version = section["partition"], section["ring_version"]
    by_name = {d.name: d for d in rings.devices}
    owners = [by_name[d["device"]] for d in section["devices"] if d["place"] == "primary"]
    others = [by_name[d["device"]] for d in section["devices"] if d["place"] == "handoff"]
    for told in (None, str(version), str(version + 1), str(version - 1), "", "nonsense"):
        assert [ask(d, "AUTH_test/who/o", part, told).status for d in owners] == [200] * 3, told
    for told in (None, str(version), str(version + 1), "", "nonsense", "-1"):
        assert {ask(d, "AUTH_test/who/o", part, told).status for d in others} == {404}, told
    for d in others:
        res = ask(d, "AUTH_test/who/o", part, str(version - 1))
        assert (res.status, res.get("X-Needletail-Ring")) == (513, str(version))
        res = d.put("AUTH_test/who/o", b"y", {"X-Needletail-Ring": str(version - 1)}, part=part)
        assert res.status == 513
        assert d.metric("needletail_objectd_stale_ring_requests_total") >= 2


def test_a_proxy_catches_up(started, tmp_path):
    rings = Rings(started)
    client = started.client("tester")
    assert client.put("late").status == 201
    names = ["late/%d" % i for i in range(30)]
    for name in names:
        assert client.put(name, b"first").status == 201
    old = str(tmp_path / "rings")
    shutil.copytree(rings.folder, old)
    block = PortBlock()

    def with_old_rings(text):
        return text.replace("[cluster]\n", "[cluster]\nring_dir = %s\n" % old, 1)
    try:
        with SecondProxy(started, block.first, with_old_rings) as second:
            rings.rebalance(("remove", "d2"))
            rings.settle()
            late = Client(started.host, second.port, "tester")
            """It reads and writes all the same: two of three are where it believes them to be."""
            for name in names:
                assert late.get(name).body == b"first"
                assert late.put(name, b"second").status == 201
            assert sum(d.metric("needletail_objectd_stale_ring_requests_total")
                       for d in rings.devices) > 0
            started.wait_for(lambda: "has a newer ring than version" in read_log(started),
                             what="the proxy's warning")
            refused = rings.devices[2].metric("needletail_objectd_stale_ring_requests_total")
            assert refused > 0
            for name in os.listdir(rings.folder):
                if name.endswith(".ring.gz"):
                    shutil.copy(os.path.join(rings.folder, name), os.path.join(old, name + ".new"))
                    os.rename(os.path.join(old, name + ".new"), os.path.join(old, name))
            """Both of its workers."""
            started.wait_for(lambda: read_log(started).count("rings have changed") >= 2,
                             what="new rings")
            before = rings.devices[2].metric("needletail_objectd_stale_ring_requests_total")
            for name in names:
                assert late.get(name).body == b"second"
            assert rings.devices[2].metric(
                "needletail_objectd_stale_ring_requests_total") == before
            late.close()
    finally:
        block.release()
    rings.settle()
    for name in names[:10]:
        section = rings.explain("AUTH_test/" + name, "--all")["objects"][0]
        assert copies(section) == [("primary", "data")] * 3


def read_log(cluster):
    folder = os.path.join(cluster.home, "log-second")
    text = ""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), errors="replace") as f:
            text += f.read()
    return text
