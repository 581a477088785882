"""Compare and swap while devices are away: decided by a majority, or not at all."""
import signal
import threading

import pytest

from tests.harness import swift


@pytest.fixture
def holders(make_cluster):
    """A cluster, a client, and the names of the devices that hold c/o."""
    c = make_cluster()
    client = c.client("tester")
    assert client.put("c").status == 201
    assert client.put("c/o", b"one").status == 201
    found = []
    for i in (1, 2, 3, 4):
        device = c.client(None)
        device.close()
        device.port = c.port + i
        # The partition in the path is not looked at.
        res = device.head("/d%d/0/AUTH_test/c/o" % i,
                          headers={"X-Backend-Storage-Policy-Index": "0"})
        if res.status == 200:
            found.append(i)
        device.close()
    assert len(found) == 3
    yield c, client, found
    client.close()


def test_races_with_one_device_silent(holders):
    cluster, client, found = holders
    cluster.kill("needletail-objectd: d%d" % found[0], signal.SIGSTOP)
    etag = swift.md5(b"one")
    assert client.put("c/o", b"x", headers={"If-Match": swift.md5(b"other")}).status == 412
    statuses = []

    def go(i):
        c = cluster.client("tester")
        statuses.append(c.put("c/o", b"new %d" % i, headers={"If-Match": etag}).status)
        c.close()

    threads = [threading.Thread(target=go, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(statuses) == [201, 412, 412, 412]
    # With two away nothing is proven; and nothing is written.
    before = client.get("c/o").body
    cluster.kill("needletail-objectd: d%d" % found[1], signal.SIGSTOP)
    assert client.put("c/o", b"x", headers={"If-Match": swift.md5(before)}).status == 503
    for i in found[:2]:
        cluster.kill("needletail-objectd: d%d" % i, signal.SIGCONT)
    cluster.wait_for(lambda: client.get("c/o").status == 200)
    assert client.get("c/o", headers={"X-Newest": "true"}).body == before
