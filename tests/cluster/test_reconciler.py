"""Two halves of a cluster made one container with different policies: its objects end in one."""
import pytest

from tests.cluster.objectd_node import Objectd, timestamp
from tests.cluster.placed import World

CONF = ("[replicator]\ninterval = 1h\nnode_timeout = 2s\n[reconciler]\ninterval = 1h\n"
        "[objectd]\nconn_timeout = 300ms\nnode_timeout = 1s\n[updater]\nretry_max = 1s\n")
A = "AUTH_a"


@pytest.fixture(scope="module")
def world():
    with Objectd(4, CONF) as n:
        w = World(n)
        w.put_account(A)
        yield w


def settle(world):
    for device in world.nodes.devices():
        device.replicate()
    for device in world.nodes.devices():
        device.job("reconcile")


def split(world, name, first=0, second=1):
    """A container with the older policy on one device and the newer one on the two others."""
    old, new = timestamp(-100), timestamp(-50)
    world.put_container(A, name, first, old, devices=[0])
    world.put_container(A, name, second, new, devices=[1, 2])
    return name


def policies(world, name):
    part = world.part(A, name)
    return {d.head(A + "/" + name, part=part).get("X-Backend-Storage-Policy-Index")
            for d in world.devices(A, name)}


def names(world, name, policy=0):
    part = world.part(A, name)
    return [d.get(A + "/" + name, part=part, policy=policy).body.decode().splitlines()
            for d in world.devices(A, name)]


@pytest.mark.parametrize("first,second", [(0, 1), (1, 0)])
def test_objects_move_to_the_older_policy(world, first, second):
    c = split(world, "move%d" % first, first, second)
    body = b"y" * 700001
    world.put(A, c, "right", b"was right", first, rows=[0])
    ts = world.put(A, c, "small", b"small", second, rows=[1, 2], headers={
        "X-Object-Meta-Colour": "red", "Content-Type": "image/png", "X-Object-Sysmeta-S": "s"})
    world.put(A, c, "large", body, second, rows=[1, 2])
    settle(world)
    assert policies(world, c) == {str(first)}
    for o, data in (("right", b"was right"), ("small", b"small"), ("large", body)):
        assert set(world.bodies(A, c, o, first)) == {data}
        assert world.statuses(A, c, o, second) == {404}
    assert names(world, c, first) == [["large", "right", "small"]] * 3
    part = world.part(A, c, "small", first)
    for d in world.devices(A, c, "small", first):
        res = d.get("%s/%s/small" % (A, c), part=part, policy=first)
        assert [res.get(h) for h in ("X-Object-Meta-Colour", "Content-Type", "X-Object-Sysmeta-S")
                ] == ["red", "image/png", "s"]
        assert res.get("X-Timestamp") == ts
    """There is nothing left to do, and that is known."""
    settle(world)
    settle(world)
    for device in world.nodes.devices():
        stats = device.recon("reconciler")
        assert (stats["moved"], stats["deleted"], stats["left"]) == (0, 0, 0)
    assert names(world, c, first) == [["large", "right", "small"]] * 3


def test_deletions_move_as_well(world):
    c = split(world, "deletions")
    world.put(A, c, "o", b"x", 0, ts=timestamp(-40))
    world.put(A, c, "newer", b"newer", 0)
    world.delete(A, c, "o", 1, ts=timestamp(-30), rows=[1, 2])
    world.delete(A, c, "newer", 1, ts=timestamp(-20), rows=[1, 2])
    settle(world)
    settle(world)
    assert world.statuses(A, c, "o", 0) == {404}
    assert set(world.bodies(A, c, "newer", 0)) == {b"newer"}
    assert names(world, c) == [["newer"]] * 3


def test_the_newer_one_wins(world):
    c = split(world, "newer")
    world.put(A, c, "a", b"older", 1, ts=timestamp(-30), rows=[1, 2])
    world.put(A, c, "a", b"newer", 0, ts=timestamp(-20), rows=[0])
    world.put(A, c, "b", b"newer", 1, ts=timestamp(-20), rows=[1, 2])
    world.put(A, c, "b", b"older", 0, ts=timestamp(-30), rows=[0])
    settle(world)
    for o in "ab":
        assert set(world.bodies(A, c, o, 0)) == {b"newer"}
        assert world.statuses(A, c, o, 1) == {404}
    assert names(world, c) == [["a", "b"]] * 3


def test_made_again_with_another_policy(world):
    """Deleted and made anew: the new choice stands, although it is younger."""
    world.put_container(A, "again", 0, timestamp(-100))
    world.put(A, "again", "old", b"old", 0, ts=timestamp(-90), rows=[0])
    part = world.part(A, "again")
    for d in world.devices(A, "again")[1:]:
        assert d.delete(A + "/again", {"X-Timestamp": timestamp(-80)}, part=part).status == 204
    world.put_container(A, "again", 1, timestamp(-70), devices=[1, 2])
    world.put(A, "again", "new", b"new", 1)
    settle(world)
    settle(world)
    assert policies(world, "again") == {"1"}
    assert set(world.bodies(A, "again", "old", 1)) == {b"old"}
    assert set(world.bodies(A, "again", "new", 1)) == {b"new"}
    assert world.statuses(A, "again", "old", 0) == {404}


def test_nothing_moves_before_they_agree(world):
    c = split(world, "disagree")
    world.put(A, c, "o", b"x", 1, rows=[1, 2])
    for device in world.nodes.devices():
        device.job("reconcile")
    assert set(world.bodies(A, c, "o", 1)) == {b"x"}
    assert world.statuses(A, c, "o", 0) == {404}
