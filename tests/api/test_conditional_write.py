"""Compare and swap: If-Match and If-None-Match on PUT and DELETE."""
import os
import threading

import pytest

from tests.harness import swift

BIG = os.urandom(1 << 20)
NOTHING = swift.md5(b"nothing")


@pytest.fixture
def path(container):
    return container + "/o"


def quoted(data):
    return '"%s"' % swift.md5(data)


@pytest.mark.parametrize("body", [b"small", BIG], ids=["small", "big"])
def test_put_if_match(client, path, body):
    assert client.put(path, body, headers={"If-Match": "*"}).status == 412
    assert client.put(path, body, headers={"If-Match": quoted(b"one")}).status == 412
    assert client.get(path).status == 404
    assert client.put(path, b"one").status == 201
    assert client.put(path, body, headers={"If-Match": NOTHING}).status == 412
    assert client.get(path).body == b"one"
    for etag in (quoted(b"one"), swift.md5(b"one"), '"x", %s' % quoted(b"one"), "*"):
        assert client.put(path, b"one").status == 201
        res = client.put(path, body, headers={"If-Match": etag})
        assert res.status == 201 and res.headers["ETag"] == swift.md5(body), etag
        assert client.get(path).body == body
    assert client.delete(path).status == 204
    assert client.put(path, body, headers={"If-Match": quoted(body)}).status == 412


@pytest.mark.parametrize("body", [b"small", BIG], ids=["small", "big"])
def test_put_if_none_match(client, path, body):
    assert client.put(path, b"one", headers={"If-None-Match": quoted(b"one")}).status == 201
    assert client.put(path, body, headers={"If-None-Match": quoted(b"one")}).status == 412
    assert client.put(path, body, headers={"If-None-Match": "*"}).status == 412
    assert client.get(path).body == b"one"
    assert client.put(path, body, headers={"If-None-Match": NOTHING}).status == 201
    assert client.get(path).body == body
    assert client.delete(path).status == 204
    assert client.put(path, body, headers={"If-None-Match": "*"}).status == 201


def test_chunked(client, path):
    client.put(path, b"one")
    for data in (b"two", BIG):
        pieces = [data[i:i + 100000] for i in range(0, len(data), 100000)]
        assert client.put(path, iter(pieces), headers={"If-Match": NOTHING}).status == 412
        etag = client.head(path).headers["ETag"]
        assert client.put(path, iter(pieces), headers={"If-Match": etag}).status == 201
        assert client.get(path).body == data


def test_delete(client, path):
    client.put(path, b"one")
    assert client.delete(path, headers={"If-Match": NOTHING}).status == 412
    assert client.delete(path, headers={"If-None-Match": quoted(b"one")}).status == 412
    assert client.delete(path, headers={"If-None-Match": "*"}).status == 412
    assert client.get(path).body == b"one"
    assert client.delete(path, headers={"If-Match": quoted(b"one")}).status == 204
    assert client.get(path).status == 404
    assert client.delete(path, headers={"If-Match": "*"}).status == 412
    client.put(path, b"two")
    assert client.delete(path, headers={"If-None-Match": quoted(b"one")}).status == 204


def test_a_refusal_leaves_no_trace(client, container, path):
    client.put(path, b"one", headers={"X-Object-Meta-A": "1"})
    before = client.head(path).headers
    for headers in ({"If-Match": NOTHING}, {"If-None-Match": "*"}):
        for body in (b"two", BIG):
            assert client.put(path, body, headers=headers).status == 412
        assert client.delete(path, headers={"If-Match": NOTHING}).status == 412
    after = client.head(path).headers
    for name in ("ETag", "X-Timestamp", "Last-Modified", "X-Object-Meta-A"):
        assert after[name] == before[name]
    assert client.head(container).headers["X-Container-Bytes-Used"] == "3"
    # Nothing is held either: plain writes do not wait.
    assert client.put(path, b"three").status == 201


def test_continue_is_not_sent_for_a_refusal(cluster, client, container):
    client.put(container + "/o", b"one")
    head = ("PUT %s/%s/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 3\r\n"
            "Expect: 100-continue\r\nIf-Match: %s\r\n\r\n")
    with cluster.raw() as r:
        r.send(head % (client.account, container, client.token, NOTHING))
        assert r.head().status == 412
    with cluster.raw() as r:
        r.send(head % (client.account, container, client.token, swift.md5(b"one")))
        assert r.head().status == 100
        r.send("two")
        assert r.response().status == 201
    assert client.get(container + "/o").body == b"two"


def test_the_policy_with_two_replicas(client, container):
    name = container + "-silver"
    assert client.put(name, headers={"X-Storage-Policy": "silver"}).status == 201
    client.put(name + "/o", b"one")
    assert client.put(name + "/o", b"two", headers={"If-Match": NOTHING}).status == 412
    assert client.put(name + "/o", b"two", headers={"If-Match": quoted(b"one")}).status == 201
    assert client.get(name + "/o").body == b"two"
    client.empty(name)


def race(cluster, path, headers, bodies):
    """All at once, each on a connection of its own: the answers."""
    answers, start = [None] * len(bodies), threading.Barrier(len(bodies))

    def go(i):
        c = cluster.client("tester")
        start.wait()
        answers[i] = c.put(path, bodies[i], headers=headers)
        c.close()

    threads = [threading.Thread(target=go, args=(i,)) for i in range(len(bodies))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


@pytest.mark.parametrize("policy", ["gold", "silver"])
@pytest.mark.parametrize("size", [10, 300000])
def test_one_of_many_wins(cluster, client, container, policy, size):
    where = "%s-%s" % (container, policy)
    client.put(where, headers={"X-Storage-Policy": policy})
    for turn in range(6):
        path = "%s/o%d" % (where, turn // 2)
        headers = {"If-None-Match": "*"}
        if turn % 2:
            headers = {"If-Match": client.head(path).headers["ETag"]}
        bodies = [b"%d %d " % (turn, i) + os.urandom(size) for i in range(6)]
        statuses = [a.status for a in race(cluster, path, headers, bodies)]
        assert sorted(statuses) == [201] + [412] * 5, (turn, statuses)
        for _ in range(4):
            assert client.get(path).body == bodies[statuses.index(201)]
    client.empty(where)


def test_a_counter_loses_nothing(cluster, client, path):
    client.put(path, b"0")

    def count():
        c = cluster.client("tester")
        done = 0
        while done < 5:
            got = c.get(path, headers={"X-Newest": "true"})
            res = c.put(path, b"%d" % (int(got.body) + 1),
                        headers={"If-Match": got.headers["ETag"]})
            assert res.status in (201, 412)
            done += res.status == 201
        c.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert client.get(path, headers={"X-Newest": "true"}).body == b"20"


def test_large_objects_compare_their_own_etag(client, container, path):
    for i in range(2):
        client.put("%s/seg%d" % (container, i), b"segment")
    manifest = '[{"path": "/%s/seg0"}, {"path": "/%s/seg1"}]' % (container, container)
    query = {"multipart-manifest": "put"}
    etag = client.put(path, manifest, query=query).headers["ETag"]
    assert client.put(path, b"x", headers={"If-Match": NOTHING}).status == 412
    assert client.put(path, manifest, query=query, headers={"If-None-Match": "*"}).status == 412
    assert client.put(path, manifest, query=query, headers={"If-Match": etag}).status == 201
    assert client.delete(path, headers={"If-Match": etag}).status == 204


def test_expired_objects_are_not_there(client, path):
    import time
    client.put(path, b"one", headers={"X-Delete-After": "1"})
    time.sleep(2)
    assert client.put(path, b"two", headers={"If-Match": "*"}).status == 412
    assert client.put(path, b"two", headers={"If-None-Match": "*"}).status == 201


def test_advertised(anonymous):
    info = anonymous.get("/info").json
    assert info["conditional_writes"] == {"methods": ["PUT", "DELETE"],
                                          "headers": ["If-Match", "If-None-Match"]}
