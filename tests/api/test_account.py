"""Accounts: listing, metadata, coming into being. docs/swift has the promises."""
import uuid

import pytest

from tests.harness import swift


@pytest.fixture
def prefix(client):
    """Three containers that begin with this."""
    p = "acc-" + uuid.uuid4().hex[:8] + "-"
    for name in "abc":
        assert client.put(p + name).status == 201
    yield p
    for name in "abc":
        client.empty(p + name)


def test_head_shows_counts(client, prefix):
    res = client.head()
    assert res.status == 204
    assert int(res.headers["X-Account-Container-Count"]) >= 3
    assert "X-Account-Object-Count" in res.headers and "X-Account-Bytes-Used" in res.headers
    assert swift.is_timestamp(res.headers["X-Timestamp"])
    assert res.headers["Accept-Ranges"] == "bytes"
    assert res.headers["X-Trans-Id"] == res.headers["X-Openstack-Request-Id"]


def test_listing_shows_a_container_at_once(client, prefix):
    assert client.list(prefix=prefix) == [prefix + c for c in "abc"]
    res = client.get(query={"format": "json", "prefix": prefix})
    assert res.status == 200
    assert res.headers["Content-Type"] == "application/json; charset=utf-8"
    assert [c["name"] for c in res.json] == [prefix + c for c in "abc"]
    assert {"name", "count", "bytes", "last_modified"} <= set(res.json[0])
    assert client.delete(prefix + "b").status == 204
    assert client.list(prefix=prefix) == [prefix + "a", prefix + "c"]


def test_listing_parameters(client, prefix):
    a, b, c = (prefix + x for x in "abc")
    assert client.list(prefix=prefix, limit=2) == [a, b]
    assert client.list(prefix=prefix, marker=a) == [b, c]
    assert client.list(prefix=prefix, end_marker=c) == [a, b]
    assert client.list(prefix=prefix, reverse="true") == [c, b, a]
    assert client.list(prefix=prefix, delimiter="-", limit=10) == [a, b, c]
    assert client.get(query={"prefix": prefix, "limit": "0"}).status == 204
    assert client.get(query={"limit": "10001"}).status == 412
    assert client.get(query={"limit": "-3", "prefix": prefix}).lines == [a, b, c]


def test_xml_listing(client, prefix):
    res = client.get(query={"format": "xml", "prefix": prefix})
    assert res.status == 200
    assert res.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<account name="AUTH_test">')
    assert "<name>%sa</name>" % prefix in res.text


def test_empty_text_listing_is_204(client):
    assert client.get(query={"prefix": uuid.uuid4().hex}).status == 204
    assert client.get(query={"prefix": uuid.uuid4().hex, "format": "json"}).json == []


def test_metadata_merges(client):
    name = "X-Account-Meta-" + uuid.uuid4().hex[:8].title()
    assert client.post(headers={name: "one", name + "-2": "two"}).status == 204
    assert client.post(headers={name: "uno"}).status == 204
    res = client.head()
    assert res.headers[name] == "uno" and res.headers[name + "-2"] == "two"
    remove = "X-Remove-Account-Meta-" + name[len("X-Account-Meta-"):]
    assert client.post(headers={remove: "x", name + "-2": ""}).status == 204
    res = client.head()
    assert name not in res.headers and name + "-2" not in res.headers


@pytest.mark.parametrize("headers", [
    {"X-Account-Meta-" + "n" * 129: "v"},
    {"X-Account-Meta-N": "v" * 257},
    {"X-Account-Meta-": "v"},
    {"X-Account-Meta-N%d" % i: "v" * 200 for i in range(30)},
    {"X-Account-Meta-N": b"\xff\xfe"},
])
def test_metadata_limits(client, headers):
    assert client.post(headers=headers).status == 400


def test_an_account_that_is_not_there_yet(cluster):
    with_other = cluster.client("admin")
    path = "/v1/AUTH_new" + uuid.uuid4().hex[:8]
    res = with_other.head(path)
    assert res.status == 200
    assert res.headers["X-Account-Container-Count"] == "0"
    assert with_other.get(path).status == 204
    assert with_other.get(path, query={"format": "json"}).json == []
    assert with_other.get(path + "/c").status == 404
    assert with_other.put(path + "/c").status == 201
    res = with_other.head(path)
    assert res.status == 204 and res.headers["X-Account-Container-Count"] == "1"
    assert with_other.delete(path + "/c").status == 204
    with_other.close()


def test_post_makes_the_account(cluster):
    admin = cluster.client("admin")
    path = "/v1/AUTH_post" + uuid.uuid4().hex[:8]
    assert admin.post(path, headers={"X-Account-Meta-A": "b"}).status == 204
    res = admin.head(path)
    assert res.status == 204 and res.headers["X-Account-Meta-A"] == "b"
    admin.close()


def test_management_is_off(client):
    for method in ("PUT", "DELETE"):
        res = client.request(method, "")
        assert res.status in (403, 405)
    assert client.delete("", query="bulk-typo").status in (400, 403, 405)


def test_other_methods(client):
    res = client.request("PATCH", "")
    assert res.status == 405
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(res.headers["Allow"].split(", "))
    res = client.request("OPTIONS", "")
    assert res.status == 200 and "GET" in res.headers["Allow"]


def test_names_are_limited(cluster):
    admin = cluster.client("admin")
    assert admin.get("/v1/AUTH_" + "a" * 252).status == 400
    assert admin.head("/v1/AUTH_" + "a" * 251).status == 200
    admin.close()
