"""Symbolic links: dynamic, static, in listings, and what they may point at."""
import json

import pytest

from tests.harness.swift import md5, quote

EMPTY = md5(b"")


@pytest.fixture
def target(client, container):
    """A plain object, container/target."""
    res = client.put(container + "/target", b"0123456789", headers={
        "Content-Type": "text/x-target", "X-Object-Meta-Colour": "red"})
    assert res.status == 201
    return container + "/target"


def link(client, path, target, etag=None, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    headers["X-Symlink-Target"] = target
    if etag:
        headers["X-Symlink-Target-Etag"] = etag
    return client.put(path, headers=headers)


def rows(client, container, **query):
    return {r.get("name", r.get("subdir")): r
            for r in client.get(container, query={"format": "json", **query}).json}


def test_get_and_head_follow(client, container, target):
    assert link(client, container + "/link", target).status == 201
    for method in ("GET", "HEAD"):
        res = client.request(method, container + "/link")
        assert res.status == 200
        assert res.headers["Content-Length"] == "10"
        assert res.headers["Content-Type"] == "text/x-target"
        assert res.headers["X-Object-Meta-Colour"] == "red"
        assert res.headers["Etag"] == md5(b"0123456789")
        assert res.headers["Content-Location"] == client.path(target)
        assert "X-Symlink-Target" not in res.headers
        assert not [k for k, _ in res.headers if k.lower().startswith("x-object-sysmeta")]
    assert client.get(container + "/link").body == b"0123456789"
    assert "Content-Location" not in client.get(target).headers


def test_the_link_itself(client, container, target):
    assert link(client, container + "/link", target).status == 201
    for method in ("GET", "HEAD"):
        res = client.request(method, container + "/link", query="symlink=get")
        assert (res.status, res.body) == (200, b"")
        assert res.headers["X-Symlink-Target"] == target
        assert "X-Symlink-Target-Account" not in res.headers
        assert "X-Symlink-Target-Etag" not in res.headers
        assert res.headers["Content-Type"] == "application/symlink"
        assert res.headers["Content-Length"] == "0"
        assert res.headers["Etag"] == EMPTY
        assert "Content-Location" not in res.headers
    plain = client.get(target, query="symlink=get")
    assert (plain.status, plain.body) == (200, b"0123456789")


def test_content_type_of_a_link(client, container, target):
    assert link(client, container + "/l", target, Content_Type="text/x-link").status == 201
    res = client.head(container + "/l", query="symlink=get")
    assert res.headers["Content-Type"] == "text/x-link"
    assert link(client, container + "/s", target, md5(b"0123456789")).status == 201
    res = client.head(container + "/s", query="symlink=get")
    assert res.headers["Content-Type"] == "text/x-target"


def test_ranges_and_conditions_are_the_targets(client, container, target):
    link(client, container + "/link", target)
    path, etag = container + "/link", md5(b"0123456789")
    got = client.get(path, headers={"Range": "bytes=2-4"})
    assert (got.status, got.body) == (206, b"234")
    assert client.get(path, headers={"Range": "bytes=20-"}).status == 416
    assert client.get(path, headers={"If-Match": etag}).status == 200
    assert client.get(path, headers={"If-Match": EMPTY}).status == 412
    assert client.get(path, headers={"If-None-Match": etag}).status == 304
    assert client.get(path, headers={"If-None-Match": EMPTY}).status == 200
    res = client.get(path, headers={"If-None-Match": etag})
    assert res.headers["Content-Location"] == client.path(target)


def test_a_target_need_not_be_there(client, container):
    assert link(client, container + "/link", container + "/later").status == 201
    res = client.get(container + "/link")
    assert res.status == 404
    assert res.headers["Content-Location"] == client.path(container + "/later")
    assert client.head(container + "/link", query="symlink=get").status == 200
    client.put(container + "/later", b"now")
    assert client.get(container + "/link").body == b"now"


def test_hops(client, container, target):
    link(client, container + "/1", target)
    link(client, container + "/2", container + "/1")
    link(client, container + "/3", container + "/2")
    res = client.get(container + "/2")
    assert (res.status, res.body) == (200, b"0123456789")
    assert res.headers["Content-Location"] == client.path(target)
    res = client.get(container + "/3")
    assert (res.status, res.text) == (
        409, "Too many levels of symbolic links, maximum allowed is 2")
    assert client.head(container + "/3").status == 409
    assert client.head(container + "/3", query="symlink=get").status == 200
    link(client, container + "/a", container + "/b")
    link(client, container + "/b", container + "/a")
    assert client.get(container + "/a").status == 409


@pytest.mark.parametrize("value", ["", "c", "c/", "/c/o", "%2Fc/o", "/", "//", "c%00/o", "c/%00o",
                                   "c/%ff"])
def test_bad_targets(client, container, value):
    res = link(client, container + "/link", value)
    assert (res.status, res.text) == (
        412, "X-Symlink-Target header must be of the form <container name>/<object name>")
    assert client.head(container + "/link", query="symlink=get").status == 404


@pytest.mark.parametrize("value,text", [("", "Account name cannot be empty"),
                                        ("a/b", "Account name cannot contain slashes"),
                                        ("a%2Fb", "Account name cannot contain slashes")])
def test_bad_accounts(client, container, value, text):
    res = client.put(container + "/link", headers={
        "X-Symlink-Target": "c/o", "X-Symlink-Target-Account": value})
    assert (res.status, res.text) == (412, text)


def test_not_to_itself(client, container):
    res = link(client, container + "/link", container + "/link")
    assert (res.status, res.text) == (400, "Symlink cannot target itself")
    account = client.account.split("/")[-1]
    res = link(client, container + "/link", container + "/link", X_Symlink_Target_Account=account)
    assert res.status == 400


@pytest.mark.parametrize("etag", ["a;b", 'a"b', "a\\b"])
def test_bad_etags(client, container, target, etag):
    res = link(client, container + "/link", target, etag)
    assert (res.status, res.text) == (400, "Bad X-Symlink-Target-Etag format")


def test_a_link_has_no_body(client, container, target):
    text = "Symlink requests require a zero byte body"
    res = client.put(container + "/link", b"x", headers={"X-Symlink-Target": target})
    assert (res.status, res.text) == (400, text)
    res = client.put(container + "/link", iter([b"x"]), headers={"X-Symlink-Target": target})
    assert (res.status, res.text) == (400, text)
    res = client.put(container + "/link", iter([]), headers={"X-Symlink-Target": target})
    assert res.status == 201
    assert client.get(container + "/link").body == b"0123456789"


def test_quoted_names(client, container):
    name = "ä %2F;x=\"\u2603/?"
    assert client.put(quote(container, name), b"here").status == 201
    assert link(client, container + "/link", quote(container, name)).status == 201
    res = client.get(container + "/link")
    assert (res.status, res.body) == (200, b"here")
    assert res.headers["Content-Location"] == client.path(quote(container, name))
    res = client.head(container + "/link", query="symlink=get")
    assert res.headers["X-Symlink-Target"] == quote(container, name)
    assert rows(client, container)["link"]["symlink_path"] == client.path(quote(container, name))


def test_static(client, container, target):
    etag = md5(b"0123456789")
    assert link(client, container + "/link", target, etag).status == 201
    assert link(client, container + "/quoted", target, '"%s"' % etag).status == 201
    res = client.get(container + "/link")
    assert (res.status, res.body) == (200, b"0123456789")
    res = client.head(container + "/link", query="symlink=get")
    assert res.headers["X-Symlink-Target"] == target
    assert res.headers["X-Symlink-Target-Etag"] == etag
    assert res.headers["X-Symlink-Target-Bytes"] == "10"
    client.put(target, b"changed")
    res = client.get(container + "/link")
    assert res.status == 409
    assert "does not match X-Symlink-Target-Etag header" in res.text
    assert res.headers["Content-Location"] == client.path(target)
    assert client.head(container + "/quoted").status == 409
    client.delete(target)
    assert client.get(container + "/link").status == 404


def test_static_is_checked_when_made(client, container, target):
    res = link(client, container + "/link", target, md5(b"other"))
    assert res.status == 409
    assert "does not match X-Symlink-Target-Etag header" in res.text
    assert res.headers["Content-Location"] == client.path(target)
    res = link(client, container + "/link", container + "/missing", md5(b"other"))
    assert (res.status, res.text) == (409, "X-Symlink-Target does not exist")
    assert res.headers["Content-Location"] == client.path(container + "/missing")
    assert client.head(container + "/link", query="symlink=get").status == 404


def test_static_to_links(client, container, target):
    etag = md5(b"0123456789")
    link(client, container + "/static", target, etag)
    link(client, container + "/dynamic", target)
    assert link(client, container + "/a", container + "/static", etag).status == 201
    assert client.get(container + "/a").body == b"0123456789"
    res = link(client, container + "/b", container + "/static", EMPTY)
    assert (res.status, res.text) == (409, "X-Symlink-Target-Etag headers do not match")
    # Of a dynamic link the ETag is that of nothing: what it points at may change.
    assert link(client, container + "/c", container + "/dynamic", etag).status == 409
    assert link(client, container + "/c", container + "/dynamic", EMPTY).status == 201


def test_listing(client, container, target):
    etag = md5(b"0123456789")
    link(client, container + "/dynamic", target)
    link(client, container + "/static", target, etag)
    link(client, container + "/other", "c/o", X_Symlink_Target_Account="AUTH_x")
    got = rows(client, container)
    row = got["dynamic"]
    assert (row["hash"], row["bytes"], row["content_type"]) == (EMPTY, 0, "application/symlink")
    assert row["symlink_path"] == client.path(target)
    assert "symlink_etag" not in row and "symlink_bytes" not in row
    row = got["static"]
    assert (row["hash"], row["bytes"], row["content_type"]) == (EMPTY, 0, "text/x-target")
    assert (row["symlink_etag"], row["symlink_bytes"]) == (etag, 10)
    assert row["symlink_path"] == client.path(target)
    assert got["other"]["symlink_path"] == "/v1/AUTH_x/c/o"
    assert "symlink_path" not in got["target"]
    assert set(got["target"]) == {"name", "hash", "bytes", "content_type", "last_modified"}
    assert client.get(container).lines == ["dynamic", "other", "static", "target"]


def test_listing_in_xml(client, container, target):
    link(client, container + "/link", target)
    res = client.get(container, query="format=xml")
    assert res.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert res.headers["Content-Length"] == str(len(res.body))
    assert "symlink" not in res.text.replace("application/symlink", "")
    assert "<name>link</name><hash>%s</hash><bytes>0</bytes>" % EMPTY in res.text
    assert res.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<container name="%s"><obj'
                               % container)
    assert res.text.endswith("</object></container>")


def test_post(client, container, target):
    etag = md5(b"0123456789")
    link(client, container + "/link", target)
    link(client, container + "/static", target, etag)
    res = client.post(container + "/link", headers={"X-Object-Meta-Colour": "blue"})
    assert res.status == 307
    assert res.headers["Location"] == client.path(target)
    assert "applied to a symlink" in res.text
    assert "X-Symlink-Target-Etag" not in res.headers
    assert client.head(target).headers["X-Object-Meta-Colour"] == "red"
    res = client.head(container + "/link", query="symlink=get")
    assert res.headers["X-Object-Meta-Colour"] == "blue"
    assert res.headers["X-Symlink-Target"] == target
    assert client.get(container + "/link").body == b"0123456789"
    assert rows(client, container)["link"]["symlink_path"] == client.path(target)
    res = client.post(container + "/static", headers={"X-Object-Meta-Colour": "blue"})
    assert (res.status, res.headers["X-Symlink-Target-Etag"]) == (307, etag)
    assert client.post(target, headers={"X-Object-Meta-Colour": "green"}).status == 202
    assert client.post(container + "/missing").status == 404


def test_post_cannot_set_a_target(client, container, target):
    res = client.post(target, headers={"X-Symlink-Target": "c/o"})
    assert (res.status, res.text) == (400, "A PUT request is required to set a symlink target")


def test_delete_and_overwrite(client, container, target):
    link(client, container + "/link", target)
    assert client.delete(container + "/link").status == 204
    assert client.get(container + "/link").status == 404
    assert client.get(target).status == 200
    link(client, container + "/link", target)
    client.put(container + "/link", b"plain")
    assert client.get(container + "/link").body == b"plain"
    assert client.get(target).body == b"0123456789"
    assert "symlink_path" not in rows(client, container)["link"]


def test_copy_follows(client, container, target):
    link(client, container + "/link", target)
    res = client.request("COPY", container + "/link", headers={
        "Destination": container + "/copy"})
    assert res.status == 201
    res = client.get(container + "/copy", query="symlink=get")
    assert (res.body, res.headers["Content-Type"]) == (b"0123456789", "text/x-target")
    assert "X-Symlink-Target" not in res.headers


@pytest.mark.parametrize("static", [False, True])
def test_copy_of_the_link(client, container, target, static):
    etag = md5(b"0123456789")
    link(client, container + "/link", target, etag if static else None,
         X_Object_Meta_Kind="link")
    res = client.request("COPY", container + "/link", query="symlink=get", headers={
        "Destination": container + "/copy"})
    assert res.status == 201, res
    res = client.head(container + "/copy", query="symlink=get")
    assert res.headers["X-Symlink-Target"] == target
    assert res.headers.get("X-Symlink-Target-Etag") == (etag if static else None)
    assert res.headers["X-Object-Meta-Kind"] == "link"
    assert client.get(container + "/copy").body == b"0123456789"
    got = rows(client, container)
    for key in ("hash", "bytes", "content_type", "symlink_path"):
        assert got["copy"][key] == got["link"][key]
    assert got["copy"].get("symlink_etag") == (etag if static else None)


def test_large_object_as_target(client, container):
    parts = []
    for i in range(2):
        data = b"%d" % i * 10
        client.put("%s/seg%d" % (container, i), data)
        parts.append({"path": "/%s/seg%d" % (container, i), "etag": md5(data), "size_bytes": 10})
    res = client.put(container + "/slo", json.dumps(parts).encode(), query="multipart-manifest=put")
    assert res.status == 201
    head = client.head(container + "/slo")
    link(client, container + "/link", container + "/slo")
    res = client.get(container + "/link")
    assert (res.status, res.body) == (200, b"0" * 10 + b"1" * 10)
    assert res.headers["Etag"] == head.headers["Etag"]
    assert res.headers["X-Static-Large-Object"] == "True"
    assert res.headers["Content-Location"] == client.path(container + "/slo")
    assert client.head(container + "/link").headers["Content-Length"] == "20"
    assert client.get(container + "/link", headers={"Range": "bytes=8-11"}).body == b"0011"
    manifest = md5(client.get(container + "/slo", query="multipart-manifest=get").body)
    manifest = head.headers.get("X-Manifest-Etag", manifest).strip('"')
    assert link(client, container + "/static", container + "/slo", manifest).status == 201
    assert client.get(container + "/static").body == b"0" * 10 + b"1" * 10
    row = rows(client, container)["static"]
    assert (row["symlink_bytes"], row["symlink_etag"]) == (20, manifest)
    assert row["slo_etag"] == head.headers["Etag"]
    assert row["hash"] == EMPTY


def test_each_hop_is_authorised(cluster, client, anonymous, container, target):
    other = cluster.client("tester3")     # of the same account, without its rights
    link(client, container + "/link", target)
    secret = container + "-public"
    assert client.put(secret, headers={"X-Container-Read": ".r:*"}).status == 201
    try:
        link(client, secret + "/link", target)
        assert anonymous.get(client.path(secret + "/link")).status == 401
        assert other.get(client.path(secret + "/link")).status == 403
        client.put(secret + "/open", b"open")
        link(client, container + "/in", secret + "/open")
        assert anonymous.get(client.path(secret + "/open")).status == 200
        assert anonymous.get(client.path(container + "/in")).status == 401
        client.post(container, headers={"X-Container-Read": ".r:*"})
        assert anonymous.get(client.path(secret + "/link")).body == b"0123456789"
        assert anonymous.get(client.path(container + "/in")).body == b"open"
    finally:
        for name in ("link", "open"):
            client.delete(secret + "/" + name)
        client.delete(secret)
        other.close()


def test_across_accounts(cluster, client, container, target):
    other = cluster.client("other")
    account = client.account.split("/")[-1]
    assert other.put(container).status == 201
    try:
        res = link(other, container + "/link", target, X_Symlink_Target_Account=account)
        assert res.status == 201
        assert other.get(container + "/link").status == 403
        res = other.head(container + "/link", query="symlink=get")
        assert res.headers["X-Symlink-Target-Account"] == account
        client.post(container, headers={"X-Container-Read": "test2:tester2"})
        res = other.get(container + "/link")
        assert (res.status, res.body) == (200, b"0123456789")
        assert res.headers["Content-Location"] == client.path(target)
        res = other.post(container + "/link")
        assert (res.status, res.headers["Location"]) == (307, client.path(target))
    finally:
        other.delete(container + "/link")
        other.delete(container)
        other.close()


def test_clients_cannot_make_privileged_links(cluster, client, container, target):
    """Headers of our own links do not come in, nor along with a copy."""
    other = cluster.client("other")
    try:
        other.put(container)
        account = client.account.split("/")[-1]
        res = other.put(container + "/link", headers={
            "X-Symlink-Target": target, "X-Symlink-Target-Account": account,
            "X-Object-Sysmeta-Allow-Reserved-Names": "true",
            "X-Object-Sysmeta-Symloop-Extend": "true"})
        assert res.status == 201
        assert other.get(container + "/link").status == 403
        assert other.post(container, headers={"X-Versions-Enabled": "true"}).status in (204, 400)
    finally:
        other.delete(container + "/link")
        other.post(container, headers={"X-Versions-Enabled": "false"})
        for row in other.get(container, query="versions&format=json").json:
            other.delete(container + "/link", query={"version-id": row.get("version_id", "null")})
        other.delete(container)
        other.close()


def test_reserved_names_stay_inside(client, container, target):
    for path in ("%00versions%00" + container, "%00versions%00" + container + "/%00o%001",
                 container + "/%00o"):
        for method in ("GET", "HEAD", "PUT", "DELETE", "POST"):
            assert client.request(method, path).status == 412, (method, path)
    for source in ("%00versions%00c/%00o%001", container + "/%00o"):
        res = client.put(container + "/copy", headers={"X-Copy-From": source})
        assert res.status == 412
    res = client.request("COPY", target, headers={"Destination": "%00versions%00c/%00o%001"})
    assert res.status == 412
    res = client.get("%00versions%00" + container, headers={
        "X-Backend-Allow-Reserved-Names": "true"})
    assert res.status == 412


def test_info(client):
    assert client.get("/info").json["symlink"] == {"symloop_max": 2, "static_links": True}
