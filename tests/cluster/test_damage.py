"""Disks that fail: flipped bits, a full disk, a device that is gone for a while."""
import glob
import os
import subprocess
import time

import pytest

from tests.harness.cluster import Cluster

MARK = b"needle-in-a-haystack-"


def volumes(cluster, device):
    base = os.path.join(cluster.home, "devices", device)
    return glob.glob(base + "/volumes/*.vol") + [
        p for p in glob.glob(base + "/large/**", recursive=True) if os.path.isfile(p)]


def flip(cluster, devices, needle):
    """Flips a bit of each copy of the needle on these devices; how many devices had one."""
    found = 0
    for device in devices:
        hit = False
        for path in volumes(cluster, device):
            with open(path, "r+b") as f:
                data = f.read()
                at = data.find(needle)
                if at >= 0:
                    f.seek(at + len(needle) // 2)
                    f.write(bytes([data[at + len(needle) // 2] ^ 4]))
                    hit = True
        found += hit
    return found


def quarantined(cluster):
    total = 0
    for i in range(1, 5):
        c = Cluster.client(cluster, None)
        c.port = cluster.port + i
        total += c.get("/recon/quarantined").json["objects"]
        c.close()
    return total


@pytest.mark.parametrize("size", [100, 200000, 2000000])
def test_flipped_bit(make_cluster, size):
    """Noticed, quarantined, served from another replica, and brought back."""
    cluster = make_cluster()
    client = cluster.client("tester")
    assert client.put("c").status == 201
    body = (MARK + b"%d-" % size) * (size // (len(MARK) + 7) + 1)
    for i in range(4):
        assert client.put("c/o%d" % i, body=body + b"%d" % i).status == 201
    cluster.restart()           # nothing of it is in memory
    devices = ["d1", "d2"]      # at least one good replica stays
    assert flip(cluster, devices, MARK + b"%d-" % size) >= 1
    client = cluster.client("tester")

    def noticed():
        for i in range(4):      # of whichever replica
            res = client.get("c/o%d" % i)
            assert res.status == 200 and res.body == body + b"%d" % i
        return quarantined(cluster) > 0

    cluster.wait_for(noticed, what="quarantine")
    client.close()


def test_flipped_bit_everywhere(make_cluster):
    """When every copy is damaged nothing false is served: an error, or a connection cut short."""
    cluster = make_cluster()
    client = cluster.client("tester")
    assert client.put("c").status == 201
    needle = MARK + b"everywhere"
    assert client.put("c/o", body=needle * 10).status == 201
    cluster.restart()
    assert flip(cluster, ["d1", "d2", "d3", "d4"], needle) == 3
    client = cluster.client("tester")
    for _ in range(6):
        res = client.get("c/o")
        assert res.status in (404, 503), res
    client.close()


@pytest.fixture
def small_disk(tmp_path):
    """A home whose device d1 lies on a file system of 48 MiB."""
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    cluster = Cluster(home=str(tmp_path / "home"))
    try:
        cluster.start()
        cluster.stop()
        place = os.path.join(cluster.home, "devices", "d1")
        saved = str(tmp_path / "d1")
        os.rename(place, saved)
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], check=True)
        try:
            subprocess.run("cp -a %s/. %s/" % (saved, place), shell=True, check=True)
            cluster.start()
            yield cluster
            cluster.stop()
        finally:
            subprocess.run(["umount", "-l", place], check=False)
    finally:
        cluster.destroy()


def test_full_disk(small_disk):
    """One device is full: writes go on with a handoff; everything stays readable, also later."""
    cluster = small_disk
    client = cluster.client("tester")
    assert client.put("c").status == 201
    sizes = [1000, 100000, 1000000]
    names = {}
    for i in range(150):
        body = (b"%d " % i) * (sizes[i % 3] // 4)
        res = client.put("c/o%d" % i, body=body)
        assert res.status == 201, (i, res)
        names["o%d" % i] = body
    for name, body in names.items():
        res = client.get("c/" + name)
        assert res.status == 200 and res.body == body, name
    assert sorted(client.list("c")) == sorted(names)
    for name in list(names)[::2]:
        assert client.delete("c/" + name).status == 204
        del names[name]
    assert sorted(client.list("c")) == sorted(names)
    client.close()
    cluster.restart()
    client = cluster.client("tester")
    for name, body in names.items():
        assert client.get("c/" + name).body == body, name
    client.close()


def stop_device(cluster, device):
    victims = [p for p in cluster.processes("needletail-objectd") if p.line.endswith(" " + device)
               or ": " + device in p.line]
    assert len(victims) == 1, cluster.processes("needletail-objectd")
    os.kill(victims[0].pid, 19)
    return victims[0].pid


@pytest.mark.limit_s(240)
def test_strict_with_one_device_away(make_cluster):
    """One device hangs: writes, reads and listings go on, and stay exact."""
    cluster = make_cluster()
    client = cluster.client("tester")
    assert client.put("c").status == 201
    assert client.put("c/before", body=b"b").status == 201
    pid = stop_device(cluster, "d2")
    try:
        for i in range(12):
            assert client.put("c/n%02d" % i, body=b"x" * i).status == 201
            assert client.list("c") == ["before"] + ["n%02d" % j for j in range(i + 1)]
        assert client.delete("c/before").status == 204
        assert client.get("c/before").status == 404
        assert client.list("c") == ["n%02d" % i for i in range(12)]
        assert client.put("new").status == 201
        assert "new" in client.list("")
    finally:
        os.kill(pid, 18)

    def all_there():
        time.sleep(0.5)
        return client.list("c") == ["n%02d" % i for i in range(12)] and all(
            client.get("c/n%02d" % i).body == b"x" * i for i in range(12))

    cluster.wait_for(all_there, 60)
    for i in range(1, 5):       # whichever other device goes now
        pid = stop_device(cluster, "d%d" % i)
        try:
            assert client.get("c/before").status in (404, 503)
            assert client.list("c") == ["n%02d" % i for i in range(12)]
        finally:
            os.kill(pid, 18)
    client.close()
