"""Objects that expire: 404 at the very second, gone from listings and from the disk."""
import time

import pytest

from tests.harness.cluster import SAIO_CONF


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A cluster whose expirer looks every half second, and that opens expired objects."""
    from tests.harness.cluster import Cluster
    conf = tmp_path_factory.mktemp("expiry") / "expiry.conf"
    with open(SAIO_CONF) as f:
        text = f.read().replace("[proxy]", "[proxy]\nallow_open_expired = yes", 1)
    conf.write_text(text + "\n[expirer]\ninterval = 500ms\n")
    with Cluster(conf=str(conf)) as c:
        yield c


def sleep_until(when):
    while time.time() < when:
        time.sleep(max(when - time.time(), 0.001))


def test_at_the_very_second(client, container):
    for i, method in enumerate(("GET", "HEAD", "POST", "DELETE")):
        assert client.put("%s/%d" % (container, i), b"x").status == 201
    at = int(time.time()) + 3
    for i in range(4):
        assert client.put("%s/%d" % (container, i), b"x",
                          headers={"X-Delete-At": str(at)}).status == 201
    sleep_until(at - 0.4)
    if time.time() < at - 0.2:
        assert client.get(container + "/0").status == 200
    sleep_until(at + 0.001)
    for i, method in enumerate(("GET", "HEAD", "POST", "DELETE")):
        assert client.request(method, "%s/%d" % (container, i)).status == 404
    assert client.get(container + "/0", headers={"X-Open-Expired": "true"}).status == 404


def test_post_changes_and_removes_it(client, container):
    path = container + "/o"
    at = str(int(time.time()) + 1000)
    client.put(path, b"x", headers={"X-Delete-At": at})
    assert client.head(path).headers["X-Delete-At"] == at
    client.post(path, headers={"X-Delete-After": "500"})
    assert abs(int(client.head(path).headers["X-Delete-At"]) - time.time() - 500) < 10
    client.post(path, headers={"X-Object-Meta-A": "b"})
    assert "X-Delete-At" not in client.head(path).headers


def test_after_beats_at(client, container):
    client.put(container + "/o", b"x", headers={"X-Delete-After": "100",
                                                "X-Delete-At": "9999999999"})
    assert int(client.head(container + "/o").headers["X-Delete-At"]) < time.time() + 110


@pytest.mark.parametrize("header,value", [
    ("X-Delete-At", "1"), ("X-Delete-At", "soon"), ("X-Delete-After", "0"),
    ("X-Delete-After", "-5"), ("X-Delete-After", "x"), ("X-Delete-At", "-1"),
])
def test_bad_times(client, container, header, value):
    assert client.put(container + "/o", b"x", headers={header: value}).status == 400
    assert client.put(container + "/o", b"x").status == 201
    assert client.post(container + "/o", headers={header: value}).status == 400


def test_delete_if_it_still_expires_then(client, container):
    path = container + "/o"
    at = int(time.time()) + 1000
    client.put(path, b"x", headers={"X-Delete-At": str(at)})
    assert client.delete(path, headers={"X-If-Delete-At": str(at + 1)}).status == 412
    assert client.delete(path, headers={"X-If-Delete-At": "x"}).status == 400
    assert client.get(path).status == 200
    assert client.delete(path, headers={"X-If-Delete-At": str(at)}).status == 204
    assert client.delete(path, headers={"X-If-Delete-At": str(at)}).status == 412
    assert client.delete(container + "/none", headers={"X-If-Delete-At": "9"}).status == 404


def test_opened(hasty):
    c = hasty.client("tester")
    assert c.get("/info").json["swift"]["allow_open_expired"] is True
    c.put("expired")
    at = int(time.time()) + 1
    c.put("expired/o", b"late", headers={"X-Delete-At": str(at)})
    sleep_until(at + 0.001)
    res = c.get("expired/o", headers={"X-Open-Expired": "true"})
    # The expirer may have been faster; what it has not taken yet can still be read.
    assert res.status == 404 or res.body == b"late"
    assert c.get("expired/o").status == 404
    c.close()


def test_it_vanishes(hasty):
    c = hasty.client("tester")
    c.put("vanish")
    for i in range(5):
        c.put("vanish/%d" % i, b"x" * 1000, headers={"X-Delete-After": "1"})
    c.put("vanish/stays", b"y", headers={"X-Delete-After": "1000"})
    c.put("vanish/again", b"z", headers={"X-Delete-After": "1"})
    c.post("vanish/again", headers={"X-Delete-After": "1000"})
    end = time.monotonic() + 20
    while c.list("vanish") != ["again", "stays"]:
        assert time.monotonic() < end, c.list("vanish")
        time.sleep(0.2)
    while c.head("vanish").headers["X-Container-Bytes-Used"] != "2":    # of any replica
        assert time.monotonic() < end
        time.sleep(0.2)
    assert c.get("vanish/again").body == b"z"
    c.empty("vanish")
    c.close()
