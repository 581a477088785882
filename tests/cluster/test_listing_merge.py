"""Listings while the replicas of a container disagree: what two of three know is shown, by every
parameter and format. Rows are given to storage servers directly, each to two of the three."""
import http.client
import itertools
import json
import uuid

import pytest

from tests.harness import swift

GIVEN = "e" * 32


def merged(cluster):
    """How many listings the proxy has merged."""
    res = cluster.client(None).get("/metrics")
    return sum(float(line.split()[-1]) for line in res.text.splitlines()
               if line.startswith("needletail_proxy_listings_merged_total"))


class Device:
    def __init__(self, cluster, number):
        self.name, self.port = "d%d" % number, cluster.port + number

    def request(self, method, path, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.request(method, "/%s/0/AUTH_test/%s" % (self.name, path), headers=headers or {})
        res = c.getresponse()
        res.read()
        c.close()
        return res.status

    def row(self, container, name, deleted=False, size=5, timestamp=None):
        headers = {"X-Timestamp": timestamp or swift.timestamp(),
                   "User-Agent": "object-updater 1"}
        if not deleted:
            headers.update({"X-Size": str(size), "X-Content-Type": "x/y", "X-Etag": GIVEN})
        status = self.request("DELETE" if deleted else "PUT", swift.quote(container, name), headers)
        assert status in (201, 202, 204), (self.name, status)


@pytest.fixture
def divided(cluster, client, container):
    """A container, the names in it, and the three devices that hold it; each misses some."""
    holders = [d for d in (Device(cluster, i) for i in range(1, 5))
               if d.request("HEAD", container) == 204]
    assert len(holders) == 3
    pairs = itertools.cycle(itertools.combinations(holders, 2))
    names = (["keep/%02d" % i for i in range(20)] + ["new/ä%02d" % i for i in range(20)]
             + ["a", "a/", "z"])
    for n in names + ["gone/%02d" % i for i in range(20)]:
        for d in holders if n.startswith("gone") else next(pairs):
            d.row(container, n)
    for i in range(20):
        for d in next(pairs):
            d.row(container, "gone/%02d" % i, deleted=True)
    yield container, sorted(names, key=lambda n: n.encode()), holders
    for d in holders:
        for n in names:
            d.row(container, n, deleted=True)


def rollup(names, delimiter):
    items = []
    for n in names:
        at = n.find(delimiter)
        item = n if at < 0 else n[:at + len(delimiter)]
        if not items or items[-1] != item:
            items.append(item)
    return items


def test_every_parameter(cluster, client, divided):
    c, names, _ = divided
    before = merged(cluster)
    new = [n for n in names if n.startswith("new/")]
    for _ in range(5):      # which replicas are asked is a matter of chance
        assert client.get(c).lines == names
        assert client.list(c, limit=7) == names[:7]
        assert client.list(c, prefix="new/", limit=1000) == new
        assert client.list(c, prefix="gone/", limit=1000) == []
        assert client.list(c, reverse="true", limit=7) == names[::-1][:7]
        assert client.list(c, delimiter="/", limit=1000) == rollup(names, "/")
        assert client.list(c, delimiter="/", limit=3) == rollup(names, "/")[:3]
        assert client.list(c, delimiter="/", reverse="1", limit=1000) == rollup(names, "/")[::-1]
        assert client.list(c, marker="keep/05", end_marker="new/ä03", limit=1000) == [
            n for n in names if b"keep/05" < n.encode() < "new/ä03".encode()]
        assert client.list(c, path="new", limit=1000) == new
        assert client.get(c, query="limit=0").status == 204
    assert merged(cluster) > before


def test_every_format(cluster, client, divided):
    c, names, _ = divided
    for _ in range(5):
        items = json.loads(client.get(c, query="format=json&prefix=new/").body)
        assert [i["name"] for i in items] == [n for n in names if n.startswith("new/")]
        assert {(i["bytes"], i["hash"], i["content_type"]) for i in items} == {(5, GIVEN, "x/y")}
        res = client.get(c, query="format=xml&delimiter=/")
        assert res.headers["Content-Type"] == "application/xml; charset=utf-8"
        assert '<subdir name="keep/"><name>keep/</name></subdir>' in res.text
        assert "gone" not in res.text


def test_the_newest_row_wins(client, divided):
    c, _, holders = divided
    old, middle, new = (swift.timestamp(s) for s in (1, 2, 3))
    for a, b in ((new, old), (old, new)):
        name = "version-" + uuid.uuid4().hex
        holders[0].row(c, name, size=1 if a == old else 3, timestamp=a)
        holders[1].row(c, name, size=1 if b == old else 3, timestamp=b)
        holders[2].row(c, name, size=3, timestamp=new)
        for _ in range(5):
            item, = client.get(c, query="format=json&prefix=" + name).json
            assert item["bytes"] == 3
        for d in holders[:2]:
            d.row(c, name, deleted=True, timestamp=swift.timestamp(4))
        for _ in range(5):
            assert client.get(c, query="format=json&prefix=" + name).json == []
        holders[2].row(c, name, deleted=True, timestamp=swift.timestamp(4))


def test_long_directories_are_jumped_over(cluster, client, divided):
    c, _, holders = divided
    for d, other in ((holders[0], holders[1]), (holders[1], holders[2])):
        for i in range(400):
            d.row(c, "long/%d-%03d" % (d.port, i))
            other.row(c, "long/%d-%03d" % (d.port, i))
    try:
        for _ in range(5):
            listed = client.list(c, delimiter="/", limit=1000)
            assert listed.count("long/") == 1 and listed[-1] == "z"
        assert len(client.list(c, prefix="long/", limit=1000)) == 800
        assert client.list(c, prefix="long/", reverse="true", limit=2) == [
            "long/%d-399" % holders[1].port, "long/%d-398" % holders[1].port]
    finally:
        for d in holders:
            for n in client.list(c, prefix="long/", limit=1000):
                d.row(c, n, deleted=True)
