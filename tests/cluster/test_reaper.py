"""Deleted accounts: emptied by their first primary, then forgotten."""
import os
import signal

import pytest

from tests.cluster.objectd_node import Objectd, timestamp, wait_for
from tests.cluster.placed import World

CONF = ("[replicator]\ninterval = 1h\nnode_timeout = 2s\n[reaper]\ninterval = 1h\n"
        "[objectd]\nconn_timeout = 300ms\nnode_timeout = 1s\n[updater]\nretry_max = 1s\n")


@pytest.fixture(scope="module")
def nodes():
    with Objectd(4, CONF) as n:
        yield n


def fill(world, account, containers=3, objects=7, ts=None):
    world.put_account(account, ts)
    for c in range(containers):
        policy = c % 2
        world.put_container(account, "c%d" % c, policy)
        for o in range(objects):
            world.put(account, "c%d" % c, "o/%d ä" % o, b"x" * o, policy)


def test_everything_goes(nodes):
    world = World(nodes)
    fill(world, "AUTH_gone")
    fill(world, "AUTH_stays", 1)
    world.delete_account("AUTH_gone")
    for device in nodes.devices():
        device.job("reap")
    for c in range(3):
        for o in range(7):
            assert world.statuses("AUTH_gone", "c%d" % c, "o/%d ä" % o, c % 2) == {404}
        assert world.statuses("AUTH_gone", "c%d" % c) == {404}
    stats = world.first("AUTH_gone").recon("reaper")
    assert (stats["objects"], stats["containers"]) == (21, 3)
    assert stats["objects_remaining"] == stats["containers_remaining"] == 0
    assert world.statuses("AUTH_stays", "c0", "o/1 ä", 0) == {200}
    """There is nothing left to do."""
    world.first("AUTH_gone").job("reap")
    assert world.first("AUTH_gone").recon("reaper")["accounts"] == 0


def test_many_objects(nodes):
    """More than one page of a listing."""
    world = World(nodes)
    world.put_account("AUTH_many")
    world.put_container("AUTH_many", "c", 1)
    world.add_rows("AUTH_many", "c", ("o%05d" % i for i in range(2100)), 1)
    world.delete_account("AUTH_many")
    world.first("AUTH_many").job("reap", timeout_s=100)
    assert world.first("AUTH_many").recon("reaper")["objects"] == 2100
    assert world.statuses("AUTH_many", "c") == {404}


def test_only_after_the_delay_and_only_once():
    with Objectd(4, CONF.replace("[reaper]\n", "[reaper]\ndelay_reaping = 100s\n")) as n:
        world = World(n)
        fill(world, "AUTH_late", 1, 2)
        fill(world, "AUTH_old", 1, 2, timestamp(-300))
        world.delete_account("AUTH_late")
        world.delete_account("AUTH_old", timestamp(-200))
        for device in n.devices():
            device.job("reap")
        assert world.statuses("AUTH_late", "c0", "o/1 ä") == {200}
        assert world.statuses("AUTH_old", "c0", "o/1 ä") == {404}
        acted = [d.name for d in n.devices() if d.recon("reaper")["accounts"]]
        assert acted == [world.first("AUTH_old").name]


def test_a_device_that_is_away(nodes):
    """What a majority confirmed is gone, and the one that was away hears of it later."""
    world = World(nodes)
    fill(world, "AUTH_away", 1, 4)
    away = next(d for d in nodes.devices() if d.name != world.first("AUTH_away").name)
    world.delete_account("AUTH_away")
    pid = nodes.worker(away.name)
    os.kill(pid, signal.SIGSTOP)
    try:
        world.first("AUTH_away").job("reap", timeout_s=60)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: all(d.pending() == 0 for d in nodes.devices()), what="rows to arrive")
    for _ in range(2):
        for device in nodes.devices():
            device.replicate()
        for device in nodes.devices():
            device.job("reap")
    for o in range(4):
        assert world.statuses("AUTH_away", "c0", "o/%d ä" % o) == {404}
    assert world.statuses("AUTH_away", "c0") == {404}


def test_the_record_is_forgotten():
    conf = CONF.replace("[replicator]\n", "[replicator]\nreclaim_age = 1s\n")
    with Objectd(3, conf) as n:
        world = World(n)
        fill(world, "AUTH_brief", 1, 2)
        world.delete_account("AUTH_brief")
        world.first("AUTH_brief").job("reap")

        def forgotten():
            for device in n.devices():
                device.job("tidy")
            return all(d.explain("AUTH_brief")["account"] is None for d in n.devices())
        wait_for(forgotten, what="the account to be forgotten")
