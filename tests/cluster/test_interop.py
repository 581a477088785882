"""Half of one, half of the other: Debian's swift-proxy-server in front of our storage servers, and
our proxy in front of Debian's storage servers, on one set of ring files."""
import configparser
import os
import subprocess

import pytest

from tests.harness import swift
from tests.harness.client import Client
from tests.harness.cluster import ROOT
from tests.harness.ports import PortBlock
from tests.harness.swift_servers import SwiftServers, available

pytestmark = [pytest.mark.limit_s(300), pytest.mark.skipif(
    not available(), reason="Debian's Swift servers are not installed")]


def swift_conf(servers, prefix, suffix):
    servers.write("swift.conf", """
        [swift-hash]
        swift_hash_path_prefix = %s
        swift_hash_path_suffix = %s
        [storage-policy:0]
        name = gold
        policy_type = replication
        default = yes
        [storage-policy:1]
        name = silver
        policy_type = replication
        """ % (prefix, suffix))


def story(c):
    """put, get, head, post, delete and listings, of small and large objects."""
    name = "interop"
    assert c.put(name, headers={"X-Container-Meta-Colour": "red"}).status == 201
    assert c.put(name).status == 202
    assert c.head(name).headers["X-Container-Meta-Colour"] == "red"
    bodies = {"small": b"hello", "dir/empty": b"", "ä b": b"x" * 5000,
              "large": os.urandom(3 << 20)}
    for obj, body in bodies.items():
        res = c.put(swift.quote(name, obj), body=body, headers={
            "Content-Type": "text/x-test", "X-Object-Meta-Kind": obj.encode().hex()})
        assert res.status == 201, (obj, res)
        assert res.headers["Etag"] == swift.md5(body)
    assert c.put(name + "/chunked", body=iter([b"abc", b"def"])).status == 201
    for obj, body in bodies.items():
        res = c.get(swift.quote(name, obj))
        assert (res.status, res.headers["Etag"]) == (200, swift.md5(body)), obj
        assert res.body == body
        assert res.headers["Content-Type"] == "text/x-test"
        assert res.headers["X-Object-Meta-Kind"] == obj.encode().hex()
        res = c.head(swift.quote(name, obj))
        assert (res.status, int(res.headers["Content-Length"])) == (200, len(body))
    assert c.get(name + "/chunked").body == b"abcdef"
    res = c.get(name + "/large", headers={"Range": "bytes=1000000-1000099"})
    assert (res.status, res.body) == (206, bodies["large"][1000000:1000100])
    etag = swift.md5(b"hello")
    assert c.get(name + "/small", headers={"If-None-Match": etag}).status == 304
    assert c.get(name + "/small", headers={"If-Match": "other"}).status == 412
    assert c.post(name + "/small", headers={"X-Object-Meta-New": "n"}).status == 202
    res = c.head(name + "/small")
    assert res.headers["X-Object-Meta-New"] == "n" and "X-Object-Meta-Kind" not in res.headers
    assert res.headers["Content-Type"] == "text/x-test"
    assert sorted(c.list(name)) == sorted(list(bodies) + ["chunked"])
    rows = {r["name"]: r for r in c.get(name, query={"format": "json"}).json}
    assert rows["small"]["hash"] == etag and rows["large"]["bytes"] == 3 << 20
    assert rows["ä b"]["content_type"] == "text/x-test"
    assert c.list(name, prefix="dir/") == ["dir/empty"]
    assert c.get(name, query={"delimiter": "/", "format": "json"}).json[1] == {"subdir": "dir/"}
    assert b"<subdir name=\"dir/\">" in c.get(name, query={"delimiter": "/", "format": "xml"}).body
    assert c.copy(name + "/small", name + "/copied").status == 201
    assert c.get(name + "/copied").body == b"hello"
    assert c.delete(name).status == 409
    assert c.put(name + "/bad", body=b"x", headers={"Etag": "0" * 32}).status == 422
    assert c.put("nothere/o", body=b"x").status == 404
    assert c.get(name + "/nothere").status == 404
    for obj in list(bodies) + ["chunked", "copied"]:
        assert c.delete(swift.quote(name, obj)).status == 204, obj
        assert c.get(swift.quote(name, obj)).status == 404, obj
    assert c.list(name) == []
    assert name in c.list("")
    assert c.put("silver", headers={"X-Storage-Policy": "silver"}).status == 201
    assert c.put("silver/o", body=b"two replicas").status == 201
    assert c.get("silver/o").body == b"two replicas"
    assert c.head("silver").headers["X-Storage-Policy"] == "silver"
    assert c.delete("silver/o").status == 204
    assert c.delete("silver").status == 204
    assert c.delete(name).status == 204
    assert c.post("", headers={"X-Account-Meta-A": "b"}).status == 204
    assert c.head("").headers["X-Account-Meta-A"] == "b"


def cluster_conf(home):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(os.path.join(home, "needletail.conf"))
    return parser


def test_their_proxy_our_storage(make_cluster, tmp_path):
    ours = make_cluster()
    conf = cluster_conf(ours.home)
    hashes = conf["swift-hash"]
    ports = PortBlock()
    with SwiftServers(str(tmp_path)) as servers:
        swift_conf(servers, hashes.get("swift_hash_path_prefix", ""),
                   hashes.get("swift_hash_path_suffix", ""))
        servers.copy_rings(os.path.join(ours.home, "rings"))
        servers.memcached(ports.first + 1)
        servers.proxy(ports.first, ports.first + 1)
        servers.wait([ports.first])
        c = Client("127.0.0.1", ports.first, "tester")
        try:
            story(c)
            # Each sees what the other wrote.
            mine = ours.client("tester")
            assert c.put("both").status == 201
            assert c.put("both/theirs", body=b"t").status == 201
            assert mine.get("both/theirs").body == b"t"
            assert mine.put("both/ours", body=b"o").status == 201
            assert c.get("both/ours").body == b"o"
            assert sorted(c.list("both")) == sorted(mine.list("both")) == ["ours", "theirs"]
            mine.close()
        except AssertionError:
            print(servers.logs())
            raise
        finally:
            c.close()


@pytest.fixture
def their_storage(tmp_path):
    """Debian's account, container and object servers on three nodes, with rings by ringtool."""
    ports = PortBlock()
    tool = os.path.join(os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"),
                        "ringtool")
    kinds = {"object": 2, "container": 5, "account": 8}
    with SwiftServers(str(tmp_path / "swift")) as servers:
        for ring, kind, replicas in (("object", "object", 3), ("object-1", "object", 2),
                                     ("container", "container", 3), ("account", "account", 3)):
            builder = os.path.join(servers.etc, ring + ".builder.json")
            commands = [["create", "8", str(replicas), "1"]]
            for n in range(3):
                port = ports.first + kinds[kind] + n
                commands.append(["add", "r1z%d-127.0.0.1:%d/d%d" % (n + 1, port, n), "100"])
            commands.append(["rebalance"])
            for command in commands:
                subprocess.run([tool, builder] + command, check=True, capture_output=True)
        swift_conf(servers, "their", "cluster")
        all_ports = []
        for kind, first in kinds.items():
            for n in range(3):
                servers.storage(kind, ports.first + first + n, "d%d" % n)
                all_ports.append(ports.first + first + n)
        servers.wait(all_ports)
        yield servers, ports


def test_our_proxy_their_storage(their_storage, tmp_path):
    servers, ports = their_storage
    home = tmp_path / "home"
    home.mkdir()
    conf = home / "needletail.conf"
    conf.write_text("""[cluster]
home = %s
ring_dir = %s
swift_conf = %s/swift.conf
[proxy]
bind_ip = 127.0.0.1
bind_port = %d
workers = 1
account_autocreate = true
conn_timeout = 5s
node_timeout = 30s
[tempauth]
user_test_tester = testing .admin
""" % (home, servers.etc, servers.etc, ports.first))
    program = os.path.join(os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"),
                           "needletail-proxy")
    with open(home / "proxy.log", "wb") as log:
        proxy = subprocess.Popen([program, "--conf", str(conf)], stdout=log, stderr=log)
    try:
        servers.wait([ports.first])
        c = Client("127.0.0.1", ports.first, "tester")
        story(c)
        c.close()
    except AssertionError:
        print((home / "proxy.log").read_text()[-5000:], servers.logs())
        raise
    finally:
        proxy.terminate()
        proxy.wait(20)
