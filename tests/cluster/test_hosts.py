"""Several hosts with addresses of their own, installed by the manual: hosts that die, are cut off,
are slow or come back with an empty disk. Nothing acknowledged is lost, nothing deleted returns."""
import urllib.parse

import pytest

from tests.harness.hosts import KEY, PORT, USER, History, Hosts, manual_blocks
from tests.harness.network import is_possible

pytestmark = [pytest.mark.skipif(not is_possible(), reason="only root makes network namespaces"),
              pytest.mark.limit_s(300)]
QUICK = """
[replicator]
interval = 1s
[updater]
interval = 1s
"""


@pytest.fixture(scope="module")
def hosts():
    with Hosts(conf=QUICK) as h:
        yield h


@pytest.fixture(autouse=True)
def whole(request):
    """Every test begins and ends with a network without faults and all programs running."""
    yield
    if "hosts" in request.fixturenames:
        hosts = request.getfixturevalue("hosts")
        hosts.network.heal()
        for host in hosts:
            host.thaw()
            host.start()
        hosts.wait_until_up()


@pytest.fixture
def container(request, hosts):
    name = request.node.name.replace("[", "-").replace("]", "")
    client = hosts[0].client()
    assert client.put(name).status == 201
    return name


def settled(hosts, history):
    """The history holds, read through every proxy, when the replicators have nothing left to do."""
    hosts.wait_until_replicated()
    for host in hosts:
        history.check(host.client())


def test_the_manual(hosts):
    """What "Try it" shows."""
    block = next(b for b in manual_blocks("5.") if "swift -A" in b)
    block = block.replace("demo:demo", USER).replace("KEY", KEY).replace(
        "/etc/needletail/rings", hosts[0].rings).replace(
        "/etc/needletail/needletail.conf", hosts[0].conf)
    assert ":%d/" % PORT in block
    out = hosts.ringtool_script(block).splitlines()
    assert out[:2] == ["etc/hostname", "etc/hostname"]
    owners = [h for h in hosts if any(h.address in line for line in out[2:])]
    assert len(owners) >= 3


def test_hosts_die_and_return(hosts, container):
    """One host after another loses its power while the others are written to."""
    clients = [hosts[0].client(), hosts[3].client()]
    with History(clients, container) as history:
        for victim in (hosts[1], hosts[2]):
            before = history.writes
            victim.kill()
            hosts.wait_for(lambda n=before: history.writes > n + 100)
            victim.start()
            hosts.wait_until_up([victim])
            before = history.writes
            hosts.wait_for(lambda n=before: history.writes > n + 50)
    settled(hosts, history)


def test_a_host_is_cut_off(hosts, container):
    """The majority goes on; the lonely host acknowledges nothing that it then loses."""
    clients = [hosts[0].client(), hosts[3].client(timeout_s=20)]
    hosts[3].client()               # a token, before nobody can be asked
    with History(clients, container) as history:
        hosts.wait_for(lambda: history.writes > 50)
        hosts.network.cut([3], [0, 1, 2])
        before = history.writes
        hosts.wait_for(lambda: history.writes > before + 100)
        hosts.network.heal()
        before = history.writes
        hosts.wait_for(lambda: history.writes > before + 100)
    settled(hosts, history)


def test_slow_links(hosts, container):
    """One host is far away, another one behind a thin line."""
    hosts.network.delay(2, 0.05)
    hosts.network.rate(1, 20)
    try:
        with History([hosts[0].client(), hosts[1].client()], container) as history:
            hosts.wait_for(lambda: history.writes > 60)
    finally:
        hosts.network.delay(2, 0)
        hosts.network.rate(1, None)
    settled(hosts, history)


def test_an_empty_disk_is_filled(hosts, container):
    """What a lost disk held is there again."""
    client = hosts[0].client()
    names = ["o%02d" % i for i in range(60)]
    for name in names:
        assert client.put("%s/%s" % (container, name), body=name.encode() * 999).status == 201
    hosts[0].lose_disk("sdb")
    hosts[0].start()
    hosts.wait_until_up([hosts[0]])

    def mine():
        """Objects that have an owner on the new disk are there."""
        nodes = "".join(hosts.ringtool_script(
            "ringtool nodes --swift-conf %s object.ring.gz AUTH_demo %s %s" % (
                hosts[0].conf, container, n)) for n in names[:20])
        urls = [line.split('"')[1] for line in nodes.splitlines()
                if "http://10.0.0.1:6201/" in line and "Handoff" not in line]
        paths = [urllib.parse.urlsplit(u).path for u in urls]
        return paths and all(hosts.device(0, "sdb").head(p).status == 200 for p in paths)

    hosts.wait_for(mine, 120)
    for name in names:
        assert client.get("%s/%s" % (container, name)).body == name.encode() * 999
