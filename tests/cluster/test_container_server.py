"""The container server over sockets: against Debian's where that is installed, and what is ours
alone."""
import json
import os
import random
import signal
import threading
import time
from urllib.parse import quote, urlencode

import pytest

from tests.cluster.database_servers import Pair, at, available
from tests.cluster.objectd_node import Objectd, timestamp, wait_for
from tests.harness.raw import Raw, RawError


@pytest.fixture(scope="module")
def pair():
    if not available():
        pytest.skip("Debian's Swift is not installed")
    with Pair() as p:
        yield p


@pytest.fixture(scope="module")
def node():
    with Objectd(3, conf="[replicator]\nenabled = no\n") as n:
        yield n


def row(n, size=5, etag="d41d8cd98f00b204e9800998ecf8427e", type_="text/plain", **more):
    headers = {"X-Timestamp": at(n), "X-Size": str(size), "X-Etag": etag, "X-Content-Type": type_}
    headers.update({k.replace("_", "-"): v for k, v in more.items()})
    return headers


# ---- the same answers as Swift's ----

def test_life(pair):
    c = pair.name()
    pair.container("HEAD", c)
    pair.container("GET", c)
    pair.container("POST", c, {"X-Timestamp": at(1)})
    pair.container("DELETE", c, {"X-Timestamp": at(1)})
    pair.container("PUT", c + "/o", row(1))
    pair.container("PUT", c)
    pair.container("PUT", c, {"X-Timestamp": "noon"})
    pair.container("PUT", c, {"X-Timestamp": at(2), "X-Container-Meta-Colour": "red",
                              "X-Container-Read": ".r:*", "X-Container-Sysmeta-S": "1"})
    pair.container("HEAD", c)
    pair.container("GET", c)
    pair.container("PUT", c, {"X-Timestamp": at(3), "X-Container-Meta-Colour": "blue"})
    pair.container("POST", c, {"X-Timestamp": at(1), "X-Container-Meta-Colour": "late"})
    pair.container("HEAD", c)
    pair.container("POST", c, {"X-Timestamp": at(4), "X-Container-Meta-Colour": ""})
    pair.container("HEAD", c)
    pair.container("PUT", c + "/o", row(5))
    pair.container("DELETE", c, {"X-Timestamp": at(6)})
    pair.container("DELETE", c + "/o", {"X-Timestamp": at(7), "User-Agent": "object-server 1"})
    pair.container("DELETE", c, {"X-Timestamp": at(8)})
    pair.container("HEAD", c)
    pair.container("GET", c)
    pair.container("DELETE", c, {"X-Timestamp": at(9)})
    pair.container("PUT", c, {"X-Timestamp": at(10)})
    pair.container("HEAD", c)


def test_policies(pair):
    c = pair.name()
    index, default = "X-Backend-Storage-Policy-Index", "X-Backend-Storage-Policy-Default"
    pair.container("PUT", c, {"X-Timestamp": at(1), index: "9"})
    pair.container("PUT", c, {"X-Timestamp": at(1), default: "1"})
    pair.container("PUT", c, {"X-Timestamp": at(2), index: "0"})
    pair.container("PUT", c, {"X-Timestamp": at(2), index: "1"})
    pair.container("PUT", c + "/o", dict(row(3), **{index: "0"}))
    pair.container("PUT", c + "/p", dict(row(3), **{index: "1"}))
    pair.container("GET", c)
    pair.container("GET", c, {index: "0"})
    pair.container("HEAD", c)


def test_metadata_limits(pair):
    c = pair.name()
    pair.container("PUT", c, {"X-Timestamp": at(1)})
    many = {"X-Container-Meta-%d" % i: "v" for i in range(91)}
    pair.container("POST", c, dict(many, **{"X-Timestamp": at(2)}))
    pair.container("POST", c, {"X-Timestamp": at(3), "X-Container-Meta-L": "x" * 4096})
    pair.container("POST", c, {"X-Timestamp": at(4), "X-Container-Sync-To": "http://elsewhere/a/c"})
    pair.container("POST", c, {"X-Timestamp": at(4), "X-Container-Sync-To": "http://127.0.0.1/a/c"})
    pair.container("HEAD", c)


def test_rows(pair):
    c = pair.name()
    pair.container("PUT", c, {"X-Timestamp": at(1)})
    types = ["text/plain; charset=UTF-8", "a/b;swift_bytes=70",
             "a/b ; x = \"y;z\" ;swift_bytes=x", "", "a/b; flag", "a/b;=;c=d", "a/\"b\\"]
    for i, t in enumerate(types):
        pair.container("PUT", "%s/t%d" % (c, i), row(2, type_=t))
    # Content type and metadata have times of their own.
    pair.container("PUT", c + "/t1", row(2, type_="c/d", X_Content_Type_Timestamp=at(5),
                                         X_Meta_Timestamp=at(9)))
    pair.container("PUT", c + "/t2", row(1, type_="older/one", size=99))
    pair.container("PUT", c + "/t3", row(8, size=8))
    pair.container("DELETE", c + "/t3", {"X-Timestamp": at(7), "User-Agent": "object-server 1"})
    pair.container("DELETE", c + "/t4", {"X-Timestamp": at(7), "User-Agent": "object-server 1"})
    for query in ("", "format=json", "format=xml"):
        pair.container("GET", c, query=query)


def test_formats(pair):
    c = pair.name()
    pair.container("PUT", c, {"X-Timestamp": at(1)})
    pair.container("GET", c, query="format=xml")
    pair.container("GET", c, query="format=json")
    for name in ("a&<>\"'", "t\tab", "\u00e9\U0001f600", "del\x7f", "s l/a\"sh", "nl\n/x"):
        pair.container("PUT", c + "/" + quote(name), row(2, etag="e\"<&>"))
    for query in ("format=xml", "format=json", "format=plain", "format=other",
                  "format=XML&delimiter=/", "format=json&delimiter=/", "format=xml&delimiter=%20"):
        pair.container("GET", c, query=query)
        pair.container("HEAD", c, query=query)
    for accept in ("application/json", "text/xml", "text/*", "*/*", "image/png", "bad",
                   "application/json;q=0.1, application/xml;q=0.2", "a/b;q=x", ""):
        pair.container("GET", c, {"Accept": accept})
    for query in ("limit=0", "limit=2", "limit=10000", "limit=10001", "limit=-1", "limit=x",
                  "marker=%ff", "prefix=%ff", "reverse=%ff", "limit=2&limit=1", "prefix",
                  "delimiter="):
        pair.container("GET", c, query=query)


def random_text(rnd, most):
    return "".join(rnd.choice(["a", "b", "/", "/", "\u00e9", "\"", "//", "c"])
                   for _ in range(rnd.randint(0, most)))


def test_random_listings(pair):
    rnd = random.Random(7)
    for _ in range(3):
        c = pair.name()
        pair.container("PUT", c, {"X-Timestamp": at(1)})
        items = []
        for name in sorted({random_text(rnd, 5) or "x" for _ in range(150)}):
            gone = rnd.random() < 0.2
            items.append({"name": name, "created_at": at(2), "size": 0 if gone else len(name),
                          "content_type": "a/b", "etag": "e", "deleted": int(gone),
                          "storage_policy_index": 0})
        pair.container("UPDATE", c, {"X-Timestamp": at(2), "X-Backend-Storage-Policy-Index": "0",
                                     "Content-Length": str(len(json.dumps(items)))},
                       json.dumps(items).encode())
        for _ in range(120):
            q = {"format": rnd.choice(["json", "xml", "plain"])}
            if rnd.random() < 0.2:
                # Swift loses objects in some path listings; docs/swift/listings.md
                q["path"] = random_text(rnd, 2)
            else:
                for key, most in (("prefix", 2), ("delimiter", 1)):
                    if rnd.random() < 0.5:
                        q[key] = random_text(rnd, most)
                if rnd.random() < 0.3:
                    q["reverse"] = "on"
            for key in ("marker", "end_marker"):
                if rnd.random() < 0.4:
                    q[key] = random_text(rnd, 3)
            if rnd.random() < 0.4:
                q["limit"] = str(rnd.randint(0, 12))
            pair.container("GET", c, query=urlencode(q))


def test_hidden_containers(pair):
    pair.container("PUT", "/.h/c1/o", row(1))
    pair.container("HEAD", "/.h/c1")
    pair.container("DELETE", "/.h/c2/o", {"X-Timestamp": at(1), "User-Agent": "object-server 1"})
    pair.container("HEAD", "/.h/c2")
    pair.container("PUT", "/.shards_x/c/o", row(1))
    pair.container("PUT", "/open/c/o", row(1, X_Backend_Auto_Create="true"))
    pair.container("PUT", "/.h/c3/o", row(1, X_Backend_Auto_Create="no"))


def test_reserved_names(pair):
    pair.container("PUT", "/r/x%00c", {"X-Timestamp": at(1)})
    pair.container("PUT", "/r/%00c", {"X-Timestamp": at(1)})
    pair.container("PUT", "/r/%00c/o", row(1))
    pair.container("PUT", "/r/%00c/%00o", row(1))
    pair.container("GET", "/r/%00c")
    pair.container("GET", "/r/%00c", {"X-Backend-Allow-Reserved-Names": "true"})
    pair.container("PUT", "/r/%ff", {"X-Timestamp": at(1)})


# ---- ours alone ----

def put_rows(dev, container, names, stamp):
    for name in names:
        res = dev.put("%s/%s" % (container, name), b"", row(stamp))
        assert res.status == 201, res


def digest(dev, container):
    return dev.head(container).get("X-Needletail-Digest")


def test_digest_shows_whether_replicas_are_equal(node):
    a, b = node.device(0), node.device(1)
    names = ["n%d" % i for i in range(20)]
    for dev in (a, b):
        dev.make_container("AUTH_d/c")
    assert digest(a, "AUTH_d/c") == digest(b, "AUTH_d/c") == "0" * 32
    put_rows(a, "AUTH_d/c", names, 1)
    put_rows(b, "AUTH_d/c", reversed(names), 1)
    assert digest(a, "AUTH_d/c") == digest(b, "AUTH_d/c")
    put_rows(a, "AUTH_d/c", ["n3"], 2)
    assert digest(a, "AUTH_d/c") != digest(b, "AUTH_d/c")
    put_rows(b, "AUTH_d/c", ["n3"], 2)
    assert digest(a, "AUTH_d/c") == digest(b, "AUTH_d/c")


def test_raw_listing(node):
    dev = node.device()
    dev.make_container("AUTH_d/raw")
    put_rows(dev, "AUTH_d/raw", ["x/1", "x/2", "y"], 1)
    dev.delete("AUTH_d/raw/x/2", {"X-Timestamp": at(2), "User-Agent": "object-server 1"})
    raw = {"X-Needletail-Raw": "true"}
    res = dev.request("GET", "", raw, raw_path="/d1/1/AUTH_d/raw?prefix=x/&delimiter=/")
    lines = [json.loads(line) for line in res.body.splitlines()]
    assert res.get("X-Needletail-Raw") == "true"
    assert [(r["name"], r["deleted"], r["data_ts"]) for r in lines] == \
        [("x/1", 0, at(1)), ("x/2", 1, at(2))]
    res = dev.request("GET", "", raw, raw_path="/d1/1/AUTH_d/raw?marker=x/1&limit=1")
    assert [json.loads(line)["name"] for line in res.body.splitlines()] == ["x/2"]


def account_of(node, account):
    """The listings on the account's primaries."""
    part, devices = node.placement.nodes(account)
    found = []
    for dev in devices:
        device = node.device_of(dev)
        path = "/%s/%d/%s?format=json" % (device.name, part, account)
        res = device.request("GET", "", raw_path=path)
        found.append(json.loads(res.body) if res.status == 200 else None)
    return found


def make_account(node, account):
    part, devices = node.placement.nodes(account)
    for dev in devices:
        res = node.device_of(dev).put(account, b"", part=part)
        assert res.status in (201, 202), res


def test_accounts_are_told(node):
    make_account(node, "AUTH_told")
    dev = node.device()
    dev.make_container("AUTH_told/c")
    put_rows(dev, "AUTH_told/c", ["a", "b"], 1)

    def told(count, size):
        return lambda: all(rows and (rows[0]["count"], rows[0]["bytes"]) == (count, size)
                           for rows in account_of(node, "AUTH_told"))
    wait_for(told(2, 10), 10, "the report")
    dev.delete("AUTH_told/c/a", {"X-Timestamp": at(2), "User-Agent": "object-server 1"})
    wait_for(told(1, 5), 10, "the second report")
    dev.delete("AUTH_told/c/b", {"X-Timestamp": at(2), "User-Agent": "object-server 1"})
    assert dev.delete("AUTH_told/c").status == 204
    wait_for(lambda: account_of(node, "AUTH_told") == [[], [], []], 10, "the deletion's report")


def test_a_handoff_does_not_spoil_counts():
    with Objectd(4, conf="[replicator]\nenabled = no\n") as n:
        make_account(n, "AUTH_h")
        part, primaries = n.placement.nodes("AUTH_h", "c")
        handoff = n.device_of(n.placement.handoffs("AUTH_h", "c")[0])
        for dev in map(n.device_of, primaries):
            dev.make_container("AUTH_h/c", part)
            put_rows(dev, "AUTH_h/c", ["a", "b"], 1)

        def counts():
            return [[r["count"] for r in rows] for rows in account_of(n, "AUTH_h")]
        wait_for(lambda: counts() == [[2], [2], [2]], 10, "the report")
        # It stands in for a primary, and knows of one object only; but also of a new container.
        for name in ("c", "d"):
            handoff.make_container("AUTH_h/" + name, part)
            put_rows(handoff, "AUTH_h/" + name, ["b"], 1)
        wait_for(lambda: counts() == [[2, 1], [2, 1], [2, 1]], 10, "the new container's report")
        time.sleep(1)
        assert counts() == [[2, 1], [2, 1], [2, 1]]


class Writer(threading.Thread):
    """Sends rows over one connection until it breaks; remembers what was acknowledged."""

    def __init__(self, dev, container, n):
        super().__init__()
        self.dev, self.container, self.n, self.done = dev, container, n, []
        self.start()

    def run(self):
        try:
            with Raw(self.dev.ip, self.dev.port) as raw:
                for i in range(100000):
                    name = "w%d-%06d" % (self.n, i)
                    raw.send("PUT /%s/1/%s/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                             "X-Timestamp: %s\r\nX-Size: 7\r\nX-Etag: e\r\n"
                             "X-Content-Type: a/b\r\n\r\n"
                             % (self.dev.name, self.container, name, timestamp()))
                    if raw.response("PUT").status != 201:
                        return
                    self.done.append(name)
        except (OSError, RawError):     # the server was killed
            pass


def answers(dev):
    try:
        return dev.head("AUTH_k/c").status == 204
    except (OSError, RawError):
        return False


@pytest.mark.limit_s(180)
def test_kill_loses_no_acknowledged_row():
    with Objectd(1, replicas=1) as n:
        dev = n.device()
        dev.make_container("AUTH_k/c")
        acknowledged = set()
        for round_ in range(4):
            writers = [Writer(dev, "AUTH_k/c", 10 * round_ + k) for k in range(8)]
            wait_for(lambda: sum(len(w.done) for w in writers) > 300, 30, "some rows")
            # The supervisor starts it again.
            os.kill(n.worker("d1"), signal.SIGKILL)
            for w in writers:
                w.join()
                acknowledged.update(w.done)
            wait_for(lambda: answers(dev), 30, "the restart")
            listed = set()
            while True:
                marker = max(listed) if listed else ""
                page = dev.request("GET", "", raw_path="/d1/1/AUTH_k/c?marker=" + marker)
                names = page.body.decode().splitlines()
                if not names:
                    break
                listed.update(names)
            assert acknowledged <= listed
            head = dev.head("AUTH_k/c")
            assert int(head.get("X-Container-Object-Count")) == len(listed)
            assert int(head.get("X-Container-Bytes-Used")) == 7 * len(listed)


def test_long_listing_has_a_length(node):
    dev = node.device()
    dev.make_container("AUTH_l/c")
    items = [{"name": "%05d" % i + "\u00e9" * 500, "created_at": at(2), "size": 1,
              "content_type": "a/b", "etag": "e", "deleted": 0, "storage_policy_index": 0}
             for i in range(3000)]
    body = json.dumps(items, ensure_ascii=False).encode()
    res = dev.request("UPDATE", "AUTH_l/c", {"Content-Length": str(len(body))}, body)
    assert res.status == 202
    res = dev.request("GET", "", raw_path="/d1/1/AUTH_l/c?format=json")
    assert int(res.get("Content-Length")) == len(res.body) > 8 << 20
    assert [r["name"] for r in json.loads(res.body)] == [i["name"] for i in items]
