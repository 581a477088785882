"""What a client is told while one or two devices are away, in every way of being away: writes find
a handoff, reads another replica, and nobody waits long more than once."""
import http.client
import os
import statistics
import tempfile
import time

import pytest

from tests.cluster.objectd_node import Device
from tests.conftest import _end, _start
from tests.harness import swift
from tests.harness.cluster import SAIO_CONF
from tests.harness.faults import FaultyProxy

SLOWNESS = float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))
SMALL, BIG = b"small", os.urandom(1 << 20)
SIZES = pytest.mark.parametrize("body", [SMALL, BIG], ids=["small", "big"])


def answer(status, body=b""):
    return (b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (status.encode(), len(body)) + body)


# How a device can be away: what its relay is told.
ABSENCES = {
    "refuses": {"fault": "refuse"},
    "unreachable": {"fault": "unreachable"},
    "resets": {"fault": "reset"},
    "hangs": {"fault": "hang"},
    "cut in the request": {"fault": "cut", "way": "request", "after": 200},
    "silent in the request": {"fault": "stall", "way": "request", "after": 200},
    "cut in the answer": {"fault": "cut", "way": "answer", "after": 9},
    "silent in the answer": {"fault": "stall", "way": "answer", "after": 9},
    "full": {"fault": "canned", "answer": answer("507 Insufficient Storage")},
    "broken": {"fault": "canned", "answer": answer("500 Internal Error")},
    "not HTTP": {"fault": "canned", "answer": b"\x16\x03\x01 what is this?\r\n\r\n"},
    "closes": {"fault": "canned", "answer": b""},
}
# Swift's 10 s are long for a test; storage servers wait 3 s for one another.
TIMEOUTS = [("proxy", "node_timeout", "5s"), ("proxy", "recoverable_node_timeout", "3s")]
ABSENT = pytest.mark.parametrize("absence", list(ABSENCES))


@pytest.fixture(scope="module")
def faulty():
    """A proxy whose way to each device can be disturbed; nothing is brought home meanwhile."""
    with open(SAIO_CONF) as f:
        text = f.read()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(text + "\n[replicator]\nenabled = no\n")
        conf.flush()
        cluster = _start(conf=conf.name)
        try:
            with FaultyProxy(cluster, options=TIMEOUTS) as proxy:
                assert proxy.client().put("c").status == 201
                yield proxy
        finally:
            _end(cluster)


@pytest.fixture
def proxy(faulty):
    faulty.heal()
    yield faulty
    faulty.heal()


@pytest.fixture
def client(proxy):
    c = proxy.client()
    # What the proxy is to know beforehand: the container, and open connections to all devices.
    for _ in range(4):
        assert c.get("c").status in (200, 204)
    yield c
    c.close()


def device(proxy, n):
    return Device("127.0.0.1", proxy.cluster.port + n, "d%d" % n)


def holders(proxy, path):
    return [n for n in proxy.relays if device(proxy, n).head("AUTH_test/" + path).status == 200]


def owners(proxy, path):
    """The numbers of its primaries, and of the one device that is none."""
    client = proxy.client()
    assert client.put(path, b"where").status == 201
    client.close()
    proxy.cluster.wait_for(lambda: len(holders(proxy, path)) == 3)
    primaries = holders(proxy, path)
    return primaries, next(n for n in proxy.relays if n not in primaries)


def listed(client, container="c"):
    return client.list(container)


@ABSENT
@SIZES
def test_put_beside_an_absent_device(proxy, client, absence, body):
    path = "c/put-%s-%d" % (absence.replace(" ", "-"), len(body))
    primaries, handoff = owners(proxy, path)
    away = primaries[0]
    before = proxy.metric("needletail_proxy_handoffs_total")
    proxy.relays[away].set(**ABSENCES[absence])
    assert client.put(path, body).status == 201
    # The third replica goes to the handoff. (A large body that breaks off in its middle has none
    # left to give; it breaks off in its head here.)
    proxy.cluster.wait_for(lambda: device(proxy, handoff).head("AUTH_test/" + path).status == 200,
                           what="a replica on the handoff")
    assert proxy.metric("needletail_proxy_handoffs_total") > before
    for _ in range(4):
        assert client.get(path).body == body
    assert path.split("/", 1)[1] in listed(client)
    assert client.delete(path).status == 204
    assert client.get(path).status == 404


@ABSENT
def test_reads_beside_an_absent_device(proxy, client, absence):
    path = "c/get-" + absence.replace(" ", "-")
    primaries, _ = owners(proxy, path)
    assert client.put(path, BIG).status == 201
    proxy.cluster.wait_for(lambda: all(
        device(proxy, n).head("AUTH_test/" + path).get("Etag", "").strip('"') == swift.md5(BIG)
        for n in primaries), what="all replicas")
    proxy.relays[primaries[0]].set(**ABSENCES[absence])
    for _ in range(6):
        res = client.get(path)
        assert res.status == 200 and res.body == BIG
    assert client.get(path, headers={"X-Newest": "true"}).body == BIG
    assert client.head(path).status == 200
    # Two of three say that there is nothing: that is proof.
    assert client.get("c/nothing-" + path[2:]).status == 404
    for headers in ({}, {"X-Newest": "true"}):
        assert client.head("c", headers=headers).status == 204
        assert client.head("", headers=headers).status == 204
        assert client.get("", headers=headers).status == 200
    assert path[2:] in listed(client)
    res = client.post(path, headers={"X-Object-Meta-A": "b"})
    assert res.status == 202, res


@pytest.mark.parametrize("absence", ["refuses", "hangs", "broken"])
def test_two_absent_devices(proxy, client, absence):
    path = "c/two-" + absence
    primaries, _ = owners(proxy, path)
    assert client.put(path, SMALL).status == 201
    for n in primaries[:2]:
        proxy.relays[n].set(**ABSENCES[absence])
    res = client.get(path)
    assert (res.status, res.body) == (200, SMALL)
    # Where both are primaries they might have it; where only one is, two others know better.
    assert {client.get("c/missing-%d" % i).status for i in range(20)} == {404, 503}
    # One primary and the handoff take it.
    assert client.put(path, BIG).status == 201
    assert client.get(path).body == BIG


def test_all_are_absent(proxy, client):
    for relay in proxy.relays.values():
        relay.set("refuse")
    failures = [proxy.metric("needletail_proxy_%s_failures_total" % w) for w in ("read", "write")]
    for res in (client.put("c/nobody", SMALL), client.put("c/nobody", BIG), client.get("c/nobody"),
                client.delete("c/nobody"), client.get("c"), client.put("new")):
        assert res.status == 503
    for before, what in zip(failures, ("read", "write")):
        assert proxy.metric("needletail_proxy_%s_failures_total" % what) >= before + 2
    for relay in proxy.relays.values():
        relay.set()
    # As soon as they are back: those that refused are the last resort.
    assert client.put("c/nobody", SMALL).status == 201


def test_one_device_gets_other_bytes(proxy, client):
    """The MD5 was right when the proxy sent it; a device that says 422 is no replica."""
    path = "c/other-bytes"
    primaries, handoff = owners(proxy, path)
    proxy.relays[primaries[0]].set("canned", answer=answer("422 Unprocessable Entity"))
    assert client.put(path, SMALL).status == 201
    proxy.cluster.wait_for(lambda: device(proxy, handoff).head("AUTH_test/" + path).status == 200)


def test_nobody_waits_for_a_silent_device_for_long(proxy, client):
    """A quorum answers, so a silent one costs a moment once; it is found out and passed over, and
    comes back as soon as it answers."""
    path = "c/quick"
    primaries, handoff = owners(proxy, path)

    def took():
        began = time.monotonic()
        assert client.put(path, SMALL).status == 201
        return time.monotonic() - began

    proxy.relays[primaries[0]].set("hang")
    # Nor did the first one for node_timeout (5 s).
    assert took() < 2 * SLOWNESS
    proxy.cluster.wait_for(lambda: proxy.metric("needletail_proxy_nodes_aside") == 1)
    # Nobody waits for post_quorum_timeout (0.5 s) any more.
    assert statistics.median(took() for _ in range(9)) < 0.4 * SLOWNESS
    assert device(proxy, handoff).head("AUTH_test/" + path).status == 200
    proxy.relays[primaries[0]].set()
    proxy.cluster.wait_for(lambda: proxy.metric("needletail_proxy_nodes_aside") == 0)


def test_what_is_counted_of_each_server(proxy, client):
    def of(n, name):
        label = 'server="127.0.0.1:%d/d%d"' % (proxy.relays[n].port, n)
        return sum(float(line.split()[-1])
                   for line in proxy.client(None).get("/metrics").text.splitlines()
                   if line.startswith("needletail_proxy_server_%s{" % name) and label in line)
    path = "c/counted"
    primaries, handoff = owners(proxy, path)
    names = ("answers_total", "seconds_total", "failures_total", "handoffs_total")
    before = {n: [of(n, name) for name in names] for n in proxy.relays}
    proxy.relays[primaries[0]].set(**ABSENCES["broken"])
    assert client.put(path, SMALL).status == 201
    proxy.cluster.wait_for(lambda: of(handoff, "handoffs_total") > before[handoff][3])
    assert of(primaries[0], "failures_total") > before[primaries[0]][2]
    for n in primaries[1:]:
        assert of(n, "answers_total") > before[n][0] and of(n, "seconds_total") > before[n][1]
        assert of(n, "failures_total") == before[n][2]


def test_our_devices_need_no_queue_of_what_expires(proxy, client):
    """Swift's need the rows that X-Delete-At-Host leads to."""
    def rows():
        proxy.cluster.wait_for(lambda: all(device(proxy, n).pending() == 0 for n in proxy.relays))
        page = device(proxy, 1).request("GET", "", raw_path="/metrics").body.decode()
        return sum(float(line.split()[-1]) for line in page.splitlines()
                   if line.startswith("needletail_update_rows_total"))

    def put_and_delete(headers):
        before = rows()
        for n in range(20):
            assert client.put("c/expires-%d" % n, SMALL, headers=headers).status == 201
        for n in range(20):
            assert client.delete("c/expires-%d" % n).status == 204
        return rows() - before

    put_and_delete({})          # everybody has answered something
    # A queue would take as many again; a few may be told twice.
    assert put_and_delete({"X-Delete-After": "1000"}) < 1.5 * put_and_delete({})


def test_a_listing_does_without_a_replica_that_breaks_off(proxy, client):
    """The replicas differ, so their rows are merged; one gives the beginning of its rows only."""
    assert client.put("merged").status in (201, 202)
    replicas = [n for n in proxy.relays
                if device(proxy, n).request("HEAD", "AUTH_test/merged").status == 204]
    names = ["row-%03d" % i for i in range(150)]
    for i, name in enumerate(names):
        for n in (replicas[i % 3], replicas[(i + 1) % 3]):
            res = device(proxy, n).request("PUT", "AUTH_test/merged/" + name, {
                "X-Size": "5", "X-Content-Type": "x/y", "X-Etag": "e" * 32,
                "User-Agent": "object-updater 1"})
            assert res.status in (201, 202), res
    assert listed(client, "merged") == names
    relay = proxy.relays[replicas[0]]
    relay.set("cut", way="answer", after=4000)
    proxy.cluster.wait_for(lambda: listed(client, "merged") == names and relay.hits)
    for _ in range(6):
        assert listed(client, "merged") == names


def test_a_device_goes_silent_in_the_middle_of_an_upload(proxy, client):
    path = "c/midway"
    primaries, _ = owners(proxy, path)
    body = os.urandom(1 << 16)

    relay = proxy.relays[primaries[0]]
    times = []

    def pieces():
        enough = relay.passed["request"] + 10 * len(body)
        for n in range(400):
            if n == 20:
                proxy.cluster.wait_for(lambda: relay.passed["request"] > enough, step_s=0.01)
                relay.set("clog")
                times.append(time.monotonic())
            yield body
        times.append(time.monotonic())

    assert client.put(path, pieces()).status == 201
    # node_timeout is 5 s.
    assert times[1] - times[0] < 4.5 * SLOWNESS
    assert client.get(path).body == 400 * body


def test_a_slow_device(proxy, client):
    """It answers, so it keeps its replicas, but nobody waits for it twice."""
    path = "c/slow"
    primaries, handoff = owners(proxy, path)
    proxy.relays[primaries[0]].set("slow", delay_s=0.8)
    assert client.put(path, SMALL).status == 201
    for _ in range(5):
        assert client.get(path).body == SMALL
    proxy.cluster.wait_for(
        lambda: device(proxy, primaries[0]).head("AUTH_test/" + path).status == 200)
    assert proxy.metric("needletail_proxy_late_answers_total") > 0


# ---- bodies that stop in the middle ----

@pytest.fixture(scope="module")
def data(faulty):
    faulty.heal()
    body = os.urandom(1 << 20) * 8
    c = faulty.client()
    assert c.put("c/data", body).status == 201
    manifest = []
    for i in range(2):
        part = body[i * (4 << 20):(i + 1) * (4 << 20)]
        assert c.put("c/part-%d" % i, part).status == 201
        manifest.append('{"path": "/c/part-%d", "etag": "%s", "size_bytes": %d}'
                        % (i, swift.md5(part), len(part)))
    assert c.put("c/slo", "[%s]" % ",".join(manifest),
                 query="multipart-manifest=put").status == 201
    c.close()
    return body


def parts(res):
    boundary = res.headers["Content-Type"].partition("boundary=")[2].encode()
    return [p.split(b"\r\n\r\n", 1)[1][:-2] for p in res.body.split(b"--" + boundary)[1:-1]]


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("what", ["whole", "range", "ranges", "slo", "slo range"])
def test_a_read_goes_on_elsewhere(faulty, data, fault, what):
    """Two devices give 700,000 bytes on a connection and then no more. The proxy is a new one,
    which knows nothing bad of them."""
    with FaultyProxy(faulty.cluster, options=TIMEOUTS) as proxy:
        client = proxy.client()
        read_on(proxy, client, data, fault, what)
        client.close()


def read_on(proxy, client, data, fault, what):
    name = "c/slo" if what.startswith("slo") else "c/data"
    headers = {}
    if what.endswith("range"):
        headers = {"Range": "bytes=1000-7999999"}
    elif what == "ranges":
        headers = {"Range": "bytes=10-1999999,3000000-7000000"}
    resumed = proxy.metric("needletail_proxy_resumed_reads_total")
    some = [proxy.relays[n] for n in holders(proxy, "c/data")[:2]]
    for relay in some:
        relay.set(fault, way="answer", after=700000)
    hit = False
    until = time.monotonic() + 60
    # Which one is asked is a matter of chance.
    while not hit and time.monotonic() < until:
        try:
            res = client.get(name, headers=headers)
        except http.client.IncompleteRead:
            pytest.fail("the body broke off")
        if what == "ranges":
            assert res.status == 206
            assert parts(res) == [data[10:2000000], data[3000000:7000001]]
        elif headers:
            assert res.status == 206 and res.body == data[1000:8000000]
        else:
            assert res.status == 200 and res.body == data
        hit = any(r.hits for r in some)
    assert hit
    assert proxy.metric("needletail_proxy_resumed_reads_total") > resumed
