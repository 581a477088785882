"""Containers: making, listing, metadata, policies, deleting."""
import threading
import uuid

import pytest

from tests.harness import swift


def test_put_again_is_202(client, container):
    res = client.put(container)
    assert res.status == 202


def test_head_and_get(client, container):
    res = client.head(container)
    assert res.status == 204
    assert res.headers["X-Container-Object-Count"] == "0"
    assert res.headers["X-Container-Bytes-Used"] == "0"
    assert res.headers["X-Storage-Policy"] == "gold"
    assert swift.is_timestamp(res.headers["X-Timestamp"])
    assert "Last-Modified" in res.headers and res.headers["Accept-Ranges"] == "bytes"
    assert client.get(container).status == 204


def test_missing(client):
    name = "none-" + uuid.uuid4().hex
    for method in ("GET", "HEAD", "POST", "DELETE"):
        assert client.request(method, name).status == 404


def test_delete(client, container):
    client.put(container + "/o", b"x")
    assert client.delete(container).status == 409
    assert client.delete(container + "/o").status == 204
    assert client.delete(container).status == 204
    assert client.head(container).status == 404
    assert client.put(container).status == 201      # and it may come back
    assert client.get(container).status == 204


def test_names(client):
    assert client.put("c" * 257).status == 400
    res = client.put("c" * 256)
    assert res.status == 201
    assert client.delete("c" * 256).status == 204
    for name in (".", "..", "a b", "ä€", "%41", "a;b?c"):
        assert client.put(swift.quote(name)).status == 201
        assert name in client.list(prefix=name)
        assert client.head(swift.quote(name)).status == 204
        assert client.delete(swift.quote(name)).status == 204


def test_counts(client, container):
    for i in range(3):
        assert client.put("%s/o%d" % (container, i), b"x" * 10).status == 201
    client.put(container + "/o0", b"y" * 100)
    client.delete(container + "/o2")
    res = client.head(container)
    assert res.headers["X-Container-Object-Count"] == "2"
    assert res.headers["X-Container-Bytes-Used"] == "110"


def test_what_was_written_is_listed(client, container):
    for i in range(50):
        name = "o%02d" % i
        assert client.put("%s/%s" % (container, name), b"x").status == 201
        assert client.list(container)[-1] == name
    for i in range(0, 50, 2):
        name = "o%02d" % i
        assert client.delete("%s/%s" % (container, name)).status == 204
        assert name not in client.list(container)


def test_listing_while_others_write(cluster, container):
    """What a writer was told is stored, it sees in the very next listing."""
    missing = []

    def write(n):
        c = cluster.client("tester")
        for i in range(25):
            name = "w%d-%02d" % (n, i)
            assert c.put("%s/%s" % (container, name), b"x").status == 201
            if name not in c.list(container, prefix="w%d-" % n):
                missing.append(name)
        c.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not missing


def fill(client, container, names):
    for n in names:
        assert client.put(swift.quote(container, n), b"x").status == 201


def test_listing_parameters(client, container):
    names = ["a", "a/", "a/1", "a/2/x", "b", "c/1", "c/2", "d"]
    fill(client, container, names)
    assert client.list(container) == names
    assert client.list(container, limit=3) == names[:3]
    assert client.list(container, marker="a/1") == names[3:]
    assert client.list(container, end_marker="b") == names[:4]
    assert client.list(container, prefix="a/") == names[1:4]
    assert client.list(container, delimiter="/", limit=99) == ["a", "a/", "b", "c/", "d"]
    assert client.list(container, delimiter="/", prefix="a/", limit=99) == ["a/", "a/1", "a/2/"]
    assert client.list(container, delimiter="/", marker="a/", limit=99) == ["b", "c/", "d"]
    assert client.list(container, reverse="yes", limit=99) == names[::-1]
    assert client.list(container, reverse="on", marker="b", limit=2) == ["a/2/x", "a/1"]
    assert client.list(container, reverse="1", delimiter="/", limit=99) == [
        "d", "c/", "b", "a/", "a"]
    assert client.list(container, path="a", limit=99) == ["a/1"]
    assert client.list(container, path="", limit=99) == ["a", "a/", "b", "d"]
    assert client.get(container, query="limit=0").status == 204
    assert client.get(container, query="limit=10001").status == 412
    assert client.get(container, query="limit=x").lines == names
    assert client.get(container, query="prefix=%ff").status == 400


def test_json_listing(client, container):
    client.put(container + "/o", b"hello", headers={"Content-Type": "text/x-thing; a=b"})
    client.put(container + "/p/q", b"")
    res = client.get(container, query="format=json&delimiter=/")
    assert res.status == 200 and res.headers["Content-Type"] == "application/json; charset=utf-8"
    first, second = res.json
    assert first["name"] == "o" and first["bytes"] == 5 and first["hash"] == swift.md5(b"hello")
    assert first["content_type"].replace("; ", ";") == "text/x-thing;a=b"
    assert len(first["last_modified"]) == len("2026-11-22T09:19:12.075580")
    assert second == {"subdir": "p/"}


def test_xml_listing(client, container):
    client.put(container + "/a%26%3C", b"x")
    res = client.get(container, query="format=xml")
    assert res.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert "<name>a&amp;&lt;</name>" in res.text


def test_accept(client, container):
    res = client.get(container, headers={"Accept": "application/xml;q=0.5, application/json"})
    assert res.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Accept" in res.headers["Vary"]
    assert client.get(container, headers={"Accept": "image/png"}).status == 406


def test_metadata(client, container):
    two = {"X-Container-Meta-A": "1", "X-Container-Meta-B": "2"}
    assert client.post(container, headers=two).status == 204
    assert client.put(container, headers={"X-Container-Meta-A": "3"}).status == 202
    res = client.head(container)
    assert res.headers["X-Container-Meta-A"] == "3" and res.headers["X-Container-Meta-B"] == "2"
    assert client.post(container, headers={"X-Remove-Container-Meta-A": "x"}).status == 204
    assert "X-Container-Meta-A" not in client.head(container).headers
    assert client.post(container, headers={"X-Container-Meta-A": "v" * 257}).status == 400


def test_acl_is_cleaned(client, container):
    acl = {"X-Container-Read": " .referrer:* , .rlistings,"}
    assert client.post(container, headers=acl).status == 204
    assert client.head(container).headers["X-Container-Read"] == ".r:*,.rlistings"
    assert client.post(container, headers={"X-Container-Write": ".r:*"}).status == 400
    assert client.post(container, headers={"X-Remove-Container-Read": "x"}).status == 204
    assert "X-Container-Read" not in client.head(container).headers


def test_acl_is_in_force_at_once(cluster, client, container):
    """Also in the workers that did not hear of it."""
    client.put(container + "/o", b"x")
    others = [cluster.client(None) for _ in range(8)]
    path = "/v1/AUTH_test/%s/o" % container
    for _ in range(3):
        for c in others:
            assert c.get(path).status == 401
        assert client.post(container, headers={"X-Container-Read": ".r:*"}).status == 204
        for c in others:
            assert c.get(path).status == 200
        assert client.post(container, headers={"X-Container-Read": ""}).status == 204
    for c in others:
        c.close()


def test_a_new_container_is_known_at_once(cluster, client):
    others = [cluster.client("tester") for _ in range(8)]
    for n in range(5):
        name = "new-" + uuid.uuid4().hex[:8]
        for c in others:
            assert c.put(name + "/o", b"x").status == 404
        assert client.put(name).status == 201
        for c in others:
            assert c.put(name + "/o", b"x").status == 201
        client.empty(name)
    for c in others:
        c.close()


def test_policies(client):
    name = "pol-" + uuid.uuid4().hex[:8]
    assert client.put(name, headers={"X-Storage-Policy": "SILVER"}).status == 201
    assert client.head(name).headers["X-Storage-Policy"] == "silver"
    assert client.put(name, headers={"X-Storage-Policy": "gold"}).status == 409
    assert client.put(name).status == 202
    assert client.put(name + "/o", b"in silver").status == 201
    assert client.get(name + "/o").body == b"in silver"
    assert client.list(name) == ["o"]
    client.empty(name)
    assert client.put(name, headers={"X-Storage-Policy": "lead"}).status == 400


def test_body_of_put_is_ignored(client, container):
    assert client.put(container, b"what is this?").status == 202


@pytest.mark.parametrize("method", ["COPY", "PATCH", "UPDATE", "REPLICATE"])
def test_other_methods(client, container, method):
    assert client.request(method, container).status == 405


def test_cors(client, container):
    headers = {"Origin": "http://a.example", "Access-Control-Request-Method": "GET"}
    assert client.request("OPTIONS", container, headers=headers).status == 401
    client.post(container, headers={
        "X-Container-Meta-Access-Control-Allow-Origin": "http://a.example http://b.example",
        "X-Container-Meta-Access-Control-Max-Age": "77",
        "X-Container-Meta-Access-Control-Expose-Headers": "X-Mine"})
    res = client.request("OPTIONS", container, headers=dict(
        headers, **{"Access-Control-Request-Headers": "x-auth-token"}))
    assert res.status == 200
    assert res.headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert res.headers["Access-Control-Max-Age"] == "77"
    assert "PUT" in res.headers["Access-Control-Allow-Methods"]
    assert res.headers["Access-Control-Allow-Headers"] == "x-auth-token"
    res = client.get(container, headers={"Origin": "http://b.example"})
    assert res.headers["Access-Control-Allow-Origin"] == "http://b.example"
    assert "x-mine" in res.headers["Access-Control-Expose-Headers"].lower()
    assert "Origin" in res.headers["Vary"]
    res = client.get(container, headers={"Origin": "http://c.example"})
    assert res.status in (200, 204) and "Access-Control-Allow-Origin" not in res.headers
    res = client.request("OPTIONS", container)
    assert res.status == 200 and "GET" in res.headers["Allow"]


def test_underscores_in_names_of_metadata_are_hyphens(client, container):
    """A WSGI server cannot tell them apart, so no client of Swift has seen one."""
    assert client.post(container, headers={"X-Container-Meta-two_words": "x",
                                           "X_Container_Meta_Three": "y"}).status == 204
    h = client.head(container).headers
    assert h["X-Container-Meta-Two-Words"] == "x" and h["X-Container-Meta-Three"] == "y"
    assert client.post(container, headers={"X_Container_Sysmeta_Foo": "z", "X_Backend_Foo": "z",
                                           "X-Remove-Container_Meta-Three": "x"}).status == 204
    assert "X-Container-Meta-Three" not in client.head(container).headers
    assert client.put(container + "/o", b"", headers={"X-Object-Meta-a_b": "c"}).status == 201
    assert client.head(container + "/o").headers["X-Object-Meta-A-B"] == "c"


def test_a_header_that_comes_twice_is_one_with_a_comma(cluster, client, container):
    with cluster.raw() as r:
        r.send("POST %s/%s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nX-Container-Meta-A: 1\r\n"
               "X-Container-Meta-B: x\r\nx-container-meta-a: 2\r\nX_Container_Meta-A: 3\r\n\r\n"
               % (client.account, container, client.token))
        assert r.response().status == 204
    h = client.head(container).headers
    assert h["X-Container-Meta-A"] == "1,2,3" and h["X-Container-Meta-B"] == "x"
