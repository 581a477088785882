"""A device says in what state it was found; damage is found by the auditor and mended by the other
devices; a clock that jumps loses nothing."""
import glob
import os
import shutil
import signal

from tests.cluster.objectd_node import Objectd, md5, timestamp, wait_for

CONF = "[replicator]\ninterval = 1h\n[auditor]\ninterval = 1h\nbytes_per_second = 1TiB\n"


def test_what_it_did_at_the_start():
    with Objectd(1, CONF) as n:
        assert "d1: a new device" in n.log()
        device = n.device()
        for i in range(50):
            assert device.put("a/c/o%d" % i, b"%d" % i).status == 201

        def start_again(words):
            mark = len(n.log())
            n.start()
            assert words in n.log()[mark:], n.log()[mark:]
            for i in range(50):
                assert device.get("a/c/o%d" % i).body == b"%d" % i
        n.stop()
        start_again("opened as it was closed, 50 objects")
        assert device.put("a/c/o50", b"x").status == 201
        mark = len(n.log())
        os.kill(n.worker("d1"), signal.SIGKILL)
        wait_for(lambda: "was not closed properly; replayed " in n.log()[mark:] and
                 device.answers(), what="the device to be back")
        assert device.get("a/c/o50").body == b"x"
        n.stop()
        index = os.path.join(n.home, "devices/d1/index")
        shutil.rmtree(index)
        start_again("the index was lost or broken; built anew from the volumes: 5")
        n.stop()
        for name in glob.glob(index + "/MANIFEST-*"):
            with open(name, "r+b") as f:
                f.write(os.urandom(200))
        start_again("the index was lost or broken")
        assert device.get("a/c/o50").body == b"x"


def flip(folder, needle, behind):
    """One bit of a volume, so many bytes behind the place of the needle."""
    for path in glob.glob(folder + "/volumes/*.vol"):
        with open(path, "r+b") as f:
            at = f.read().find(needle)
            if at < 0:
                continue
            f.seek(at + behind)
            byte = f.read(1)
            f.seek(at + behind)
            f.write(bytes([byte[0] ^ 4]))
            return
    raise AssertionError("%r is in no volume" % needle)


def test_the_auditor_finds_it_and_others_mend_it():
    with Objectd(3, CONF) as n:
        body, ts = os.urandom(20000), timestamp()
        part = n.placement.nodes("a", "c", "good")[0]
        for device in n.devices():
            for name in ("good", "bad"):
                assert device.put("a/c/" + name, body, {"X-Timestamp": ts},
                                  part=part).status == 201
        first, others = n.device(0), n.devices()[1:]
        flip(os.path.join(n.home, "devices/d1"), b"/a/c/bad", 9000)
        first.job("audit")
        stats = first.recon("auditor")["object_auditor_stats_ALL"]
        assert stats["quarantined"] == 1 and stats["bytes_processed"] > 40000
        assert first.recon("quarantined")["objects"] == 1
        assert first.get("a/c/bad").status == 404
        assert first.get("a/c/good").body == body
        assert first.metric("needletail_quarantined") == 1
        found = first.explain("a/c/bad")
        assert found["objects"] == []
        assert others[0].replicate()["pushed"] == 1
        res = first.get("a/c/bad")
        assert res.body == body and res.get("ETag") == '"%s"' % md5(body)
        first.job("audit")
        assert first.recon("auditor")["object_auditor_stats_ALL"]["quarantined"] == 1


def test_times_far_off():
    """What clients and other hosts with wrong clocks write is ordered by their times, but deletes
    nothing else and is not reclaimed early."""
    with Objectd(3, CONF) as n:
        past, future = "0000000100.00000", timestamp(400 * 86400)
        part = n.placement.nodes("a", "c", "o")[0]
        for device in n.devices():
            assert device.put("a/c/o", b"old", {"X-Timestamp": past}, part=part).status == 201
        first = n.device(0)
        assert first.put("a/c/o", b"future", {"X-Timestamp": future}, part=part).status == 201
        assert first.put("a/c/o", b"now", part=part).status == 409
        assert first.delete("a/c/o", part=part).status == 409
        first.job("tidy")
        assert first.replicate()["failed"] == 0
        assert [d.get("a/c/o").body for d in n.devices()] == [b"future"] * 3
        assert first.delete("a/c/p", {"X-Timestamp": past}, part=part).status == 404
        assert first.delete("a/c/q", {"X-Timestamp": future}, part=part).status == 404
        first.job("tidy")
        assert first.get("a/c/p").get("X-Backend-Timestamp") is None
        assert first.get("a/c/q").get("X-Backend-Timestamp") == future
