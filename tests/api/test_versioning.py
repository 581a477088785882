"""Object versioning: X-Versions-Enabled, ?versions, ?version-id."""
import json
import os
import subprocess
import uuid

import pytest

from tests.harness.swift import is_timestamp, md5, quote

MARKER = "application/x-deleted;swift_versions_deleted=1"


def destroy(client, name):
    """Removes a container with all versions."""
    while True:
        res = client.get(name, query="versions")
        if res.status == 404:
            return
        if not res.json:
            break
        for row in res.json:
            client.delete(quote(name, row["name"]), query={"version-id": row["version_id"]})
    for row in client.get(name, query="format=json").json:
        client.delete(quote(name, row["name"]), query="version-id=null")
    client.post(name, headers={"X-Versions-Enabled": "false"})
    assert client.delete(name).status == 204


@pytest.fixture
def versioned(client):
    name = "vc-" + uuid.uuid4().hex[:12]
    assert client.put(name, headers={"X-Versions-Enabled": "true"}).status == 201
    yield name
    destroy(client, name)


def put(client, path, body, **kw):
    res = client.put(path, body, **kw)
    assert res.status == 201, res
    return res.headers["X-Object-Version-Id"]


def versions(client, container, **query):
    res = client.get(container, query={"versions": "", **query})
    assert res.status == 200, res
    assert res.headers["Content-Type"] == "application/json; charset=utf-8"
    return res.json


def ids(client, container, **query):
    return [r["version_id"] for r in versions(client, container, **query)]


def test_enabling(client, container):
    assert "X-Versions-Enabled" not in client.head(container).headers
    assert client.post(container, headers={"X-Versions-Enabled": "true"}).status == 204
    for method in ("GET", "HEAD"):
        assert client.request(method, container).headers["X-Versions-Enabled"] == "True"
    assert client.post(container, headers={"X-Versions-Enabled": "false"}).status == 204
    res = client.head(container)
    assert res.headers["X-Versions-Enabled"] == "False"
    assert not [k for k, _ in res.headers if "sysmeta" in k.lower()]
    assert container in client.get(query="prefix=" + container).lines
    assert not [n for n in client.list() if "\0" in n]
    res = client.post("missing-" + container, headers={"X-Versions-Enabled": "true"})
    assert res.status == 404


def test_not_with_legacy(client, container):
    client.post(container, headers={"X-Versions-Location": "v"})
    res = client.post(container, headers={"X-Versions-Enabled": "true"})
    assert (res.status, res.text) == (
        400, "Cannot enable object versioning on a container that is already using the legacy "
        "versioned writes feature.")
    client.post(container, headers={"X-Versions-Location": ""})
    assert client.post(container, headers={"X-Versions-Enabled": "true"}).status == 204
    for name in ("X-Versions-Location", "X-History-Location"):
        assert client.post(container, headers={name: "v"}).status == 400


def test_not_with_sync(client, container):
    headers = {"X-Container-Sync-To": "//realm/cluster/a/c", "X-Container-Sync-Key": "k"}
    if client.post(container, headers=headers).status != 204:
        pytest.skip("no container sync")
    res = client.post(container, headers={"X-Versions-Enabled": "true"})
    assert (res.status, "container syncing" in res.text) == (400, True)


def test_put_and_get(client, versioned):
    a = put(client, versioned + "/o", b"first", headers={
        "Content-Type": "text/a; charset=utf-8", "X-Object-Meta-N": "a"})
    b = put(client, versioned + "/o", b"second!")
    assert is_timestamp(a) and is_timestamp(b) and a < b
    for method in ("GET", "HEAD"):
        res = client.request(method, versioned + "/o")
        assert (res.status, res.headers["X-Object-Version-Id"]) == (200, b)
        assert res.headers["Content-Length"] == "7"
        assert res.headers["Etag"] == md5(b"second!")
        assert res.headers["Content-Location"] == "%s?version-id=%s" % (
            client.path(versioned + "/o"), b)
    assert client.get(versioned + "/o").body == b"second!"
    res = client.get(versioned + "/o", query={"version-id": a})
    assert (res.status, res.body) == (200, b"first")
    assert res.headers["X-Object-Version-Id"] == a
    assert res.headers["Content-Type"] == "text/a; charset=utf-8"
    assert res.headers["X-Object-Meta-N"] == "a"
    assert client.head(versioned + "/o", query={"version-id": b}).headers["Etag"] == md5(b"second!")
    assert client.get(versioned + "/o", query={"version-id": a}, headers={
        "Range": "bytes=1-2"}).body == b"ir"
    assert client.get(versioned + "/o", headers={"Range": "bytes=1-2"}).body == b"ec"
    assert client.get(versioned + "/o", headers={"If-None-Match": md5(b"second!")}).status == 304
    assert client.get(versioned + "/missing").headers["X-Object-Version-Id"] == "null"


def test_etag_and_length_of_put(client, versioned):
    res = client.put(versioned + "/o", iter([b"abc", b"defg"]))
    assert (res.status, res.headers["Etag"]) == (201, md5(b"abcdefg"))
    assert versions(client, versioned)[0]["bytes"] == 7
    big = b"x" * 400000
    res = client.put(versioned + "/o", big)
    assert (res.status, res.headers["Etag"]) == (201, md5(big))
    assert client.get(versioned + "/o").body == big
    assert client.put(versioned + "/o", b"x", headers={"ETag": md5(b"y")}).status == 422
    assert client.get(versioned + "/o").body == big
    assert len(ids(client, versioned)) == 2


def test_type_is_guessed_by_the_public_name(client, versioned):
    put(client, versioned + "/page.html", b"x")
    assert client.head(versioned + "/page.html").headers["Content-Type"] == "text/html"
    assert versions(client, versioned)[0]["content_type"] == "text/html"


def test_if_none_match(client, versioned):
    put(client, versioned + "/o", b"1", headers={"If-None-Match": "*"})
    res = client.put(versioned + "/o", b"2", headers={"If-None-Match": "*"})
    assert res.status == 412
    assert len(ids(client, versioned)) == 1
    assert client.get(versioned + "/o").body == b"1"


def test_delete_marks(client, versioned):
    a = put(client, versioned + "/o", b"first")
    res = client.delete(versioned + "/o")
    marker = res.headers["X-Object-Version-Id"]
    assert res.status == 204 and marker > a
    assert client.get(versioned + "/o").status == 404
    for method in ("GET", "HEAD"):
        res = client.request(method, versioned + "/o", query={"version-id": marker})
        assert (res.status, res.headers["X-Object-Version-Id"]) == (404, marker)
        assert res.headers["Content-Type"] == MARKER
    assert client.get(versioned + "/o", query={"version-id": a}).body == b"first"
    got = versions(client, versioned)
    assert [(r["version_id"], r["is_latest"], r["content_type"] == MARKER) for r in got] == [
        (marker, True, True), (a, False, False)]
    assert client.list(versioned) == []
    res = client.delete(versioned + "/o")
    assert res.status == 404
    assert res.headers["X-Object-Version-Id"] > marker
    assert len(ids(client, versioned)) == 3


def test_delete_of_versions(client, versioned):
    a, b, c = (put(client, versioned + "/o", body) for body in (b"a", b"b", b"c"))
    res = client.delete(versioned + "/o", query={"version-id": a})
    assert (res.status, res.headers["X-Object-Version-Id"]) == (204, a)
    assert res.headers["X-Object-Current-Version-Id"] == c
    assert client.get(versioned + "/o", query={"version-id": a}).status == 404
    assert client.get(versioned + "/o").body == b"c"
    res = client.delete(versioned + "/o", query={"version-id": c})
    assert (res.status, res.headers["X-Object-Current-Version-Id"]) == (204, "null")
    assert client.get(versioned + "/o").status == 404        # nothing is brought back
    assert ids(client, versioned) == [b]
    assert versions(client, versioned)[0]["is_latest"] is False
    res = client.delete(versioned + "/o", query={"version-id": b})
    assert (res.status, res.headers["X-Object-Current-Version-Id"]) == (204, "null")
    assert client.delete(versioned + "/o", query={"version-id": b}).status == 404
    assert versions(client, versioned) == []


def test_restore(client, versioned):
    a = put(client, versioned + "/o", b"first", headers={"Content-Type": "text/a"})
    b = put(client, versioned + "/o", b"second")
    res = client.put(versioned + "/o", query={"version-id": a})
    assert (res.status, res.headers["X-Object-Version-Id"]) == (201, a)
    assert res.headers["Etag"] == md5(b"first")
    res = client.get(versioned + "/o")
    assert (res.body, res.headers["X-Object-Version-Id"]) == (b"first", a)
    assert res.headers["Content-Type"] == "text/a"
    assert [(r["version_id"], r["is_latest"]) for r in versions(client, versioned)] == [
        (b, False), (a, True)]
    client.delete(versioned + "/o")
    assert client.put(versioned + "/o", query={"version-id": b}).status == 201
    assert client.get(versioned + "/o").body == b"second"
    res = client.put(versioned + "/o", b"x", query={"version-id": a})
    assert (res.status, res.text) == (
        400, "PUT version-id requests require a zero byte body")
    res = client.put(versioned + "/o", query={"version-id": "1234567890.00000"})
    assert (res.status, res.text) == (404, "The specified version does not exist")
    assert client.put(versioned + "/o", query="version-id=null").status == 400


def test_bad_ids(client, container, versioned):
    put(client, versioned + "/o", b"x")
    client.put(container + "/o", b"x")
    for bad in ("x", "1.2.3", "-1", "12345678901234.0", "1234567890.00000_0000000000000001"):
        for method in ("GET", "HEAD", "DELETE", "PUT"):
            res = client.request(method, versioned + "/o", query={"version-id": bad})
            assert res.status == 400, (method, bad)
    res = client.get(versioned + "/o", query="version-id=x")
    assert res.text == "Invalid version parameter"
    res = client.get(container + "/o", query="version-id=1234567890.00000")
    assert (res.status, res.text) == (
        400, "version-aware operations require that the container is versioned")
    res = client.post(versioned + "/o", query="version-id=1234567890.00000")
    assert (res.status, res.text) == (400, "POST to a specific version is not allowed")
    assert client.get(versioned + "/o", query="version-id=1234567890.00000").status == 404
    res = client.get(container + "/o", query="version-id=null")
    assert (res.status, res.headers["X-Object-Version-Id"]) == (200, "null")


def test_null_versions(client, container):
    """What was there before is kept when it is overwritten."""
    client.put(container + "/o", b"before", headers={"X-Object-Meta-N": "0"})
    client.put(container + "/other", b"other")
    client.post(container, headers={"X-Versions-Enabled": "true"})
    try:
        res = client.get(container + "/o")
        assert (res.body, res.headers["X-Object-Version-Id"]) == (b"before", "null")
        assert client.get(container + "/o", query="version-id=null").body == b"before"
        got = versions(client, container)
        assert [(r["name"], r["version_id"], r["is_latest"]) for r in got] == [
            ("o", "null", True), ("other", "null", True)]
        a = put(client, container + "/o", b"after")
        assert client.get(container + "/o", query="version-id=null").status == 404
        got = versions(client, container)
        assert [(r["name"], r["is_latest"]) for r in got] == [
            ("o", True), ("o", False), ("other", True)]
        assert got[0]["version_id"] == a
        old = client.get(container + "/o", query={"version-id": got[1]["version_id"]})
        assert (old.body, old.headers["X-Object-Meta-N"]) == (b"before", "0")
        client.delete(container + "/other")
        assert [r["content_type"] == MARKER for r in versions(client, container)][2:] == [
            True, False]
    finally:
        destroy(client, container)
        client.put(container)


def test_suspended(client, versioned):
    a = put(client, versioned + "/o", b"first")
    client.post(versioned, headers={"X-Versions-Enabled": "false"})
    res = client.put(versioned + "/o", b"second")
    assert res.status == 201 and "X-Object-Version-Id" not in res.headers
    res = client.get(versioned + "/o")
    assert (res.body, res.headers["X-Object-Version-Id"]) == (b"second", "null")
    assert client.get(versioned + "/o", query={"version-id": a}).body == b"first"
    assert [(r["version_id"], r["is_latest"]) for r in versions(client, versioned)] == [
        ("null", True), (a, False)]
    res = client.delete(versioned + "/o")
    assert res.status == 204 and "X-Object-Version-Id" not in res.headers
    assert ids(client, versioned) == [a]
    assert client.put(versioned + "/o", query={"version-id": a}).status == 201
    assert client.get(versioned + "/o").body == b"first"
    res = client.delete(versioned + "/o", query="version-id=null")
    assert res.status == 204
    assert ids(client, versioned) == [a]


def test_post_goes_to_the_version(client, versioned):
    a = put(client, versioned + "/o", b"first", headers={"X-Object-Meta-N": "1"})
    res = client.post(versioned + "/o", headers={"X-Object-Meta-N": "2"})
    assert res.status == 202
    assert client.head(versioned + "/o").headers["X-Object-Meta-N"] == "2"
    res = client.head(versioned + "/o", query={"version-id": a})
    assert res.headers["X-Object-Meta-N"] == "2"
    assert client.get(versioned + "/o").body == b"first"
    assert client.post(versioned + "/missing").status == 404


def test_container_listing(client, versioned):
    a = put(client, quote(versioned, "ä o"), b"first", headers={"Content-Type": "text/a"})
    row, = client.get(versioned, query="format=json").json
    assert (row["name"], row["bytes"], row["hash"]) == ("ä o", 5, md5(b"first"))
    assert row["content_type"] == "text/a"
    assert row["symlink_path"] == "%s?version-id=%s" % (client.path(quote(versioned, "ä o")), a)
    assert "symlink_bytes" not in row and "symlink_etag" not in row
    xml = client.get(versioned, query="format=xml")
    assert xml.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert "<name>ä o</name><hash>%s</hash><bytes>5</bytes>" % md5(b"first") in xml.text
    assert client.get(versioned).text == "ä o\n"
    put(client, quote(versioned, "ä o"), b"second")
    assert client.head(versioned).headers["X-Container-Bytes-Used"] == "11"
    assert client.head(versioned).headers["X-Container-Object-Count"] == "1"


def test_versions_listing(client, versioned):
    made = {}
    for name in ("a", "b/1", "b/2", "c"):
        made[name] = [put(client, quote(versioned, name), b"%d" % i) for i in range(3)]
    everything = [(n, v) for n in made for v in reversed(made[n])]

    def names(**query):
        return [(r.get("name", r.get("subdir")), r.get("version_id"))
                for r in versions(client, versioned, **query)]

    assert names() == everything
    assert names(reverse="on") == everything[::-1]
    assert names(limit=4) == everything[:4]
    assert names(prefix="b") == everything[3:9]
    assert names(prefix="b/", delimiter="/") == everything[3:9]
    assert names(delimiter="/") == everything[:3] + [("b/", None)] + everything[9:]
    assert names(marker="a") == everything[3:]
    assert names(marker="b/1") == everything[6:]
    assert names(marker="a", version_marker=made["a"][1]) == everything[2:]
    assert names(marker="a", version_marker=made["a"][2], limit=2) == everything[1:3]
    row = versions(client, versioned, limit=1)[0]
    assert set(row) == {"name", "version_id", "is_latest", "bytes", "hash", "content_type",
                        "last_modified"}
    assert (row["bytes"], row["hash"], row["is_latest"]) == (1, md5(b"2"), True)
    assert sum(r["is_latest"] for r in versions(client, versioned)) == 4


def test_versions_listing_errors(client, versioned, container):
    def refused(**query):
        res = client.get(versioned, query={"versions": "", **query})
        assert res.status == 400
        return res.text

    assert refused(version_marker="1234567890.00000") == "version_marker param requires marker"
    assert refused(version_marker="x", marker="a") == "invalid version_marker param"
    for delimiter in ("1", ".", "a0"):
        assert refused(delimiter=delimiter) == "invalid delimiter param"
    assert client.get(versioned, query="versions&limit=10001").status == 412
    for query in ("versions&format=xml", "versions&format=plain"):
        assert client.get(versioned, query=query).status == 406
    assert client.get(versioned, query="versions", headers={"Accept": "text/plain"}).status == 406
    res = client.get(versioned, query="versions", headers={"Accept": "application/json"})
    assert (res.status, res.json) == (200, [])
    client.put(container + "/o", b"x")
    row, = versions(client, container)      # never versioned
    assert (row["name"], row["version_id"], row["is_latest"]) == ("o", "null", True)


def test_container_delete(client):
    name = "vc-" + uuid.uuid4().hex[:12]
    client.put(name, headers={"X-Versions-Enabled": "true"})
    a = put(client, name + "/o", b"x")
    marker = client.delete(name + "/o").headers["X-Object-Version-Id"]
    for enabled in ("true", "false"):
        client.post(name, headers={"X-Versions-Enabled": enabled})
        res = client.delete(name)
        assert (res.status, res.text) == (409, "Delete all versions before deleting container.")
    client.delete(name + "/o", query={"version-id": a})
    assert client.delete(name).status == 409
    client.delete(name + "/o", query={"version-id": marker})
    assert client.delete(name).status == 204
    assert client.head(name).status == 404
    assert client.put(name).status == 201       # without its past
    assert "X-Versions-Enabled" not in client.head(name).headers
    client.put(name + "/o", b"plain")
    client.post(name, headers={"X-Versions-Enabled": "true"})
    assert client.delete(name).status == 409
    assert client.put(name + "/o", b"works still").status == 201
    destroy(client, name)


def test_account_listing(cluster, client, versioned):
    """The bytes of old versions count, whatever the listing's format."""
    put(client, versioned + "/o", b"12345")
    put(client, versioned + "/o", b"1234567")

    def row():
        rows = client.get(query={"format": "json", "prefix": versioned}).json
        return len(rows) == 1 and rows[0]["bytes"] == 12 and rows[0]

    found = cluster.wait_for(row, what="the account's counters")
    assert found["name"] == versioned
    text = client.get(query={"format": "xml", "prefix": versioned}).text
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<account name="AUTH_test">\n'
                           "<container><name>%s</name><count>1</count><bytes>12</bytes>"
                           % versioned)
    assert text.endswith("</storage_policy></container>\n</account>")
    assert client.get(query={"prefix": versioned}).text == versioned + "\n"
    assert all("\0" not in r["name"] for r in client.get(query="format=json").json)


def test_links_in_versioned_containers(client, versioned, container):
    etag = client.put(container + "/target", b"target").headers["Etag"]
    a = put(client, versioned + "/o", b"", headers={"X-Symlink-Target": container + "/target"})
    res = client.get(versioned + "/o")
    assert (res.status, res.body) == (200, b"target")
    assert client.get(versioned + "/o", query={"version-id": a}).body == b"target"
    res = client.get(versioned + "/o", query={"version-id": a, "symlink": "get"})
    assert res.headers["X-Symlink-Target"] == container + "/target"
    res = client.get(versioned + "/o", query="symlink=get")
    assert res.headers["X-Symlink-Target"] == "%s/o?version-id=%s" % (versioned, a)
    res = client.put(versioned + "/o", b"", headers={
        "X-Symlink-Target": container + "/target", "X-Symlink-Target-Etag": md5(b"x")})
    assert res.status == 409
    b = put(client, versioned + "/o", b"", headers={
        "X-Symlink-Target": container + "/target", "X-Symlink-Target-Etag": etag})
    assert client.get(versioned + "/o").body == b"target"
    client.put(container + "/link", headers={"X-Symlink-Target": versioned + "/o"})
    assert client.get(container + "/link").body == b"target"
    assert ids(client, versioned) == [b, a]


def test_copies(client, versioned, container):
    a = put(client, versioned + "/o", b"first", headers={"X-Object-Meta-N": "1"})
    put(client, versioned + "/o", b"second")
    res = client.copy(versioned + "/o", container + "/copy", query={"version-id": a})
    assert res.status == 201, res
    assert client.get(container + "/copy").body == b"first"
    assert res.headers["X-Copied-From-Version-Id"] == a
    res = client.copy(versioned + "/o", versioned + "/o", query={"version-id": a})
    assert res.status == 201
    assert client.get(versioned + "/o").body == b"first"
    assert len(ids(client, versioned)) == 3
    res = client.copy(container + "/copy", versioned + "/new")
    assert res.status == 201 and is_timestamp(res.headers["X-Object-Version-Id"])
    assert client.get(versioned + "/new").headers["X-Object-Meta-N"] == "1"


def test_large_objects(client, versioned, container):
    parts = []
    for i in range(2):
        data = b"%d" % i * 10
        client.put("%s/seg%d" % (container, i), data)
        parts.append({"path": "/%s/seg%d" % (container, i), "etag": md5(data), "size_bytes": 10})
    put(client, versioned + "/slo", b"plain")
    res = client.put(versioned + "/slo", json.dumps(parts).encode(),
                     query="multipart-manifest=put")
    assert res.status == 201, res
    slo = res.headers["X-Object-Version-Id"]
    got = client.get(versioned + "/slo")
    assert (got.body, got.headers["Etag"]) == (b"0" * 10 + b"1" * 10, res.headers["Etag"])
    assert client.get(versioned + "/slo", query={"version-id": slo}).body == got.body
    assert versions(client, versioned)[0]["bytes"] == 20
    assert versions(client, versioned)[0]["slo_etag"] == res.headers["Etag"]
    row, = client.get(versioned, query="format=json").json
    assert (row["bytes"], row["slo_etag"]) == (20, res.headers["Etag"])
    put(client, versioned + "/slo", b"plain again")
    assert client.put(versioned + "/slo", query={"version-id": slo}).status == 201
    assert client.get(versioned + "/slo", headers={"Range": "bytes=9-10"}).body == b"01"
    assert client.head(versioned + "/slo").headers["Content-Length"] == "20"
    put(client, versioned + "/dlo", b"", headers={"X-Object-Manifest": container + "/seg"})
    assert client.get(versioned + "/dlo").body == b"0" * 10 + b"1" * 10


def test_rights(cluster, client, anonymous, versioned):
    other = cluster.client("tester3")
    a = put(client, versioned + "/o", b"first")
    for user, status in ((other, 403), (anonymous, 401)):
        path = client.path(versioned + "/o")
        assert user.put(path, b"x").status == status
        assert user.delete(path).status == status
        assert user.get(path).status == status
        assert user.post(path).status == status
        assert user.put(path, query={"version-id": a}).status == status
        for method in ("GET", "HEAD", "DELETE"):
            assert user.request(method, path, query={"version-id": a}).status == status
        assert user.get(client.path(versioned), query="versions").status == status
        assert user.delete(client.path(versioned)).status == status
        res = user.post(client.path(versioned), headers={"X-Versions-Enabled": "false"})
        assert res.status == status
    assert ids(client, versioned) == [a]
    client.post(versioned, headers={"X-Container-Read": ".r:*,.rlistings"})
    assert anonymous.get(client.path(versioned + "/o")).body == b"first"
    res = anonymous.get(client.path(versioned), query="versions")
    assert [r["version_id"] for r in res.json] == [a]
    client.post(versioned, headers={"X-Container-Write": "test:tester3"})
    assert other.put(versioned + "/o", b"second").status == 201
    assert other.delete(versioned + "/o").status == 204
    assert len(ids(client, versioned)) == 3
    # Single versions are their owner's.
    assert other.delete(versioned + "/o", query={"version-id": a}).status == 403
    assert anonymous.get(client.path(versioned + "/o"), query={"version-id": a}).status == 401
    other.close()


def test_links_made_by_clients_have_no_privileges(cluster, client, versioned):
    """A link that is copied from a versioned container gives no access to what it points at."""
    other = cluster.client("other")
    mine = "c-" + uuid.uuid4().hex[:12]
    client.put(mine)
    client.put(mine + "/secret", b"secret")
    other.put(mine, headers={"X-Versions-Enabled": "true"})
    try:
        put(other, mine + "/o", b"x")
        res = other.put(mine + "/evil", query="symlink=get", headers={
            "X-Copy-From": mine + "/o", "X-Symlink-Target": mine + "/secret",
            "X-Symlink-Target-Account": client.account.split("/")[-1]})
        assert res.status in (201, 403)
        assert other.get(mine + "/evil").status in (403, 404)
        other.post(mine, headers={"X-Versions-Enabled": "false"})
        res = other.put(mine + "/evil", query="symlink=get", headers={
            "X-Copy-From": mine + "/o", "X-Symlink-Target": mine + "/secret",
            "X-Symlink-Target-Account": client.account.split("/")[-1]})
        assert res.status in (201, 403)
        assert other.get(mine + "/evil").status in (403, 404)
        # Nor does a static one tell the ETag of what may not be read.
        other.post(mine, headers={"X-Versions-Enabled": "true"})
        res = other.put(mine + "/evil", headers={
            "X-Symlink-Target": mine + "/secret", "X-Symlink-Target-Etag": md5(b"secret"),
            "X-Symlink-Target-Account": client.account.split("/")[-1]})
        assert res.status == 403
    finally:
        destroy(other, mine)
        other.close()
        client.empty(mine)


def test_info(client):
    assert client.get("/info").json["object_versioning"] == {}


def test_swift_client(cluster, client, versioned, tmp_path):
    """The swift command lists, downloads and deletes versions."""
    def swift(*args):
        env = dict(os.environ, ST_AUTH=cluster.endpoint + "/auth/v1.0", ST_USER="test:tester",
                   ST_KEY="testing")
        env = {k: v for k, v in env.items() if not k.startswith("OS_")}
        done = subprocess.run(("swift",) + args, env=env, capture_output=True, text=True,
                              timeout=60, cwd=tmp_path, check=False)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    a = put(client, versioned + "/o", b"first")
    b = put(client, versioned + "/o", b"second")
    out = swift("list", versioned, "--versions")
    assert a in out and b in out
    swift("download", versioned, "o", "--version-id", a, "-o", "got")
    assert (tmp_path / "got").read_bytes() == b"first"
    assert a in swift("stat", versioned, "o", "--version-id", a)
    swift("delete", versioned, "o", "--version-id", a)
    assert ids(client, versioned) == [b]
    client.delete(versioned + "/o")
    put(client, versioned + "/p", b"x")
    swift("delete", versioned, "--versions")
    assert client.head(versioned).status == 404
    client.put(versioned)
