"""needletail explain: where each copy is, and what is still to be done."""
import os
import signal
import subprocess

import pytest

from tests.cluster.rings import Rings, copies, write_conf
from tests.harness.cluster import ROOT


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    from tests.harness.cluster import Cluster
    with Cluster(conf=write_conf(tmp_path_factory.mktemp("explain") / "explain.conf")) as c:
        yield c


@pytest.fixture(scope="module")
def rings(started):
    return Rings(started)


def text(started, *args):
    return subprocess.run([os.path.join(ROOT, "bin/needletail"), "explain", "--home",
                           started.home, *args], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, NEEDLETAIL_BIN=started.bin))


def settled(rings, path):
    """Accounts that came into being by themselves differ until they are replicated."""
    rings.settle()
    return rings.cluster.wait_for(
        lambda: (lambda f: f if f["settled"] else None)(rings.explain(path)), what="all to settle")


def test_all_is_well(started, rings):
    client = started.client("tester")
    assert client.put("well").status == 201
    assert client.put("well/a/b%20c", b"hello").status == 201
    found = settled(rings, "AUTH_test/well/a/b c")
    gold, silver = found["objects"]
    assert copies(gold) == [("primary", "data")] * 3 and copies(silver) == []
    assert {d["has"]["size"] for d in gold["devices"] if d["has"]} == {5}
    assert {d["has"]["metadata"]["ETag"] for d in gold["devices"] if d["has"]} == {
        "5d41402abc4b2a76b9719d911017c592"}
    rows = [d["has"]["rows"] for d in found["container"]["devices"] if d["has"]]
    assert len(rows) == 3 and rows[0] == rows[1] == rows[2] and rows[0][0]["size"] == 5
    assert found["pending"] == found["findings"] == []
    done = text(started, "AUTH_test/well/a/b c")
    assert done.returncode == 0 and "All is where it belongs" in done.stdout
    assert done.stdout.count("data %s" % gold["newest"]) == 3


def test_containers_and_accounts(started, rings):
    client = started.client("tester")
    assert client.put("box").status == 201
    found = settled(rings, "AUTH_test/box")
    assert "objects" not in found
    assert len([d for d in found["container"]["devices"] if d["has"]]) == 3
    assert found["account"]["devices"][0]["has"]["rows"][0]["deleted"] is False
    assert "container" not in rings.explain("AUTH_test")
    assert text(started, "AUTH_test").returncode == 0
    nothing = rings.explain("AUTH_test/box/nothing")
    assert nothing["settled"] and all(copies(o) == [] for o in nothing["objects"])


def test_a_device_that_does_not_answer(started, rings):
    client = started.client("tester")
    assert client.put("mute").status == 201
    assert client.put("mute/o", b"x").status == 201
    first = rings.explain("AUTH_test/mute/o")["objects"][0]["devices"][0]
    pid = started.processes("needletail-objectd: " + first["device"])[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        found = rings.explain("AUTH_test/mute/o")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert any("object in policy 0" in f and "does not tell" in f for f in found["findings"])
    assert copies(found["objects"][0]) == [("primary", "data")] * 2


def test_what_is_to_be_done(started, rings):
    client = started.client("tester")
    assert client.put("todo").status == 201
    assert client.put("todo/o", b"old").status == 201
    section = rings.explain("AUTH_test/todo/o", "--all")["objects"][0]
    handoff = next(d for d in section["devices"] if d["place"] == "handoff")
    device = next(d for d in rings.devices if d.name == handoff["device"])
    assert device.put("AUTH_test/todo/o", b"newer", part=section["partition"]).status == 201
    found = rings.explain("AUTH_test/todo/o", "--all")
    assert sum("has an older version" in f for f in found["findings"]) == 3
    assert sum("has a copy that is to go to its primaries" in f for f in found["findings"]) == 1
    assert ("handoff", "data") in copies(found["objects"][0])
    done = text(started, "--all", "AUTH_test/todo/o")
    assert done.returncode == 1 and "- object in policy 0" in done.stdout
    rings.settle()
    assert copies(rings.explain("AUTH_test/todo/o", "--all")["objects"][0]) == [
        ("primary", "data")] * 3


def test_rows_that_wait(started, rings):
    client = started.client("tester")
    assert client.put("rows").status == 201
    part = rings.explain("AUTH_test/rows/o")["objects"][0]["partition"]
    nobody = {"X-Container-Host": "127.0.0.1:1", "X-Container-Device": "d1",
              "X-Container-Partition": "1"}
    assert rings.devices[0].put("AUTH_test/rows/o", b"x", nobody, part=part).status == 201
    found = rings.explain("AUTH_test/rows/o", "--all")
    assert [p["for"] for p in found["pending"]] == ["127.0.0.1:1/d1"]
    assert "1 listing rows wait for their device" in found["findings"]
    assert "keeps a row for 127.0.0.1:1/d1" in text(started, "AUTH_test/rows/o", "--all").stdout


def test_deletions(started, rings):
    client = started.client("tester")
    assert client.put("gone").status == 201
    assert client.put("gone/o", b"x").status == 201
    assert client.delete("gone/o").status == 204
    found = settled(rings, "AUTH_test/gone/o")
    assert {state for _, state in copies(found["objects"][0])} == {"deleted"}
    rows = [d["has"]["rows"] for d in found["container"]["devices"] if d["has"]]
    assert all(r[0]["deleted"] for r in rows)
    assert "deleted %s" % found["objects"][0]["newest"] in text(started, "AUTH_test/gone/o").stdout


@pytest.mark.parametrize("args", [[], ["/"], ["a//o"], ["--nonsense", "a"], ["a", "b"]])
def test_bad_questions(started, args):
    assert text(started, *args).returncode == 2


def test_a_question_to_a_device(rings):
    for body, status in ((b"", 400), (b"\xff", 400), (b"a", 200), (b"a/c", 200), (b"a/c/o", 200),
                         (b"a//o", 400), (b"x" * 20000, 413)):
        res = rings.devices[0].request("POST", "", body=body,
                                       raw_path="/d1/0/.needletail/explain")
        assert res.status == status, (body[:10], res)
