"""Accounts come and go: PUT and DELETE by the operator, deleted ones, quotas by policy."""
import time
import uuid

import pytest


@pytest.fixture
def admin(cluster):
    c = cluster.client("admin")
    yield c
    c.close()


@pytest.fixture
def account():
    return "/v1/AUTH_life" + uuid.uuid4().hex[:8]


def test_put(client, admin, account):
    assert client.put("").status == 403
    assert client.put(account).status == 403
    assert admin.put(account, headers={"X-Account-Meta-A": "b"}).status == 201
    assert admin.put(account).status == 202
    res = admin.head(account)
    assert res.status == 204 and res.headers["X-Account-Meta-A"] == "b"
    assert "X-Put-Timestamp" not in res.headers


def test_unborn_shows_when_it_would_begin(admin, account):
    res = admin.head(account)
    assert res.status == 200 and res.headers["X-Put-Timestamp"] == res.headers["X-Timestamp"]


def test_delete(client, admin, account):
    assert admin.put(account + "/c").status == 201
    assert client.delete("").status == 403
    assert admin.delete(account, query="a=b").status == 400
    res = admin.delete(account)
    assert res.status == 204 and res.headers["X-Account-Status"] == "Deleted"
    for method, status in (("GET", 410), ("HEAD", 410), ("POST", 404), ("DELETE", 404)):
        assert admin.request(method, account).status == status
    assert admin.get(account).headers["X-Account-Status"] == "Deleted"
    res = admin.put(account)
    assert (res.status, res.body) == (403, b"Recently deleted")
    for method, status in (("GET", 404), ("HEAD", 404), ("DELETE", 404), ("PUT", 503)):
        assert admin.request(method, account + "/c").status == status, method


def test_management_off(make_cluster, tmp_path):
    from tests.harness.cluster import SAIO_CONF
    conf = tmp_path / "off.conf"
    with open(SAIO_CONF) as f:
        conf.write_text(f.read().replace("allow_account_management = yes",
                                         "allow_account_management = no\naccount_autocreate = no"))
    c = make_cluster(conf=str(conf)).client("admin")
    for method in ("PUT", "DELETE"):
        res = c.request(method, "/v1/AUTH_none")
        assert res.status == 405 and method not in res.headers["Allow"].split(", ")
    for method in ("GET", "HEAD", "POST"):
        assert c.request(method, "/v1/AUTH_none").status == 404
    assert c.put("/v1/AUTH_none/c").status == 404
    info = c.get("/info").json["swift"]
    assert info["allow_account_management"] is False and info["account_autocreate"] is False
    c.close()


def wait_for(check, seconds=20):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_policies_count_separately(admin, account):
    for policy, size in (("gold", 10), ("silver", 3)):
        assert admin.put("%s/%s" % (account, policy),
                         headers={"X-Storage-Policy": policy}).status == 201
        assert admin.put("%s/%s/o" % (account, policy), b"x" * size).status == 201
    prefix = "X-Account-Storage-Policy-"
    wait_for(lambda: admin.head(account).headers["X-Account-Bytes-Used"] == "13")
    h = admin.head(account).headers
    assert h["X-Account-Object-Count"] == "2" and h["X-Account-Container-Count"] == "2"
    for policy, size in (("Gold", "10"), ("Silver", "3")):
        assert h[prefix + policy + "-Container-Count"] == "1"
        assert h[prefix + policy + "-Object-Count"] == "1"
        assert h[prefix + policy + "-Bytes-Used"] == size
    rows = admin.get(account, query={"format": "json"}).json
    assert [(r["name"], r["storage_policy"]) for r in rows] == [("gold", "gold"),
                                                                ("silver", "silver")]
    assert set(rows[0]) == {"name", "count", "bytes", "last_modified", "storage_policy"}
    assert "<storage_policy>silver</storage_policy></container>" in \
        admin.get(account, query={"format": "xml"}).text


def test_quota_of_a_policy(cluster, admin):
    owner = cluster.client("other")
    names = {p: "quota-%s-%s" % (p, uuid.uuid4().hex[:6]) for p in ("gold", "silver")}
    for policy, name in names.items():
        assert owner.put(name, headers={"X-Storage-Policy": policy}).status == 201
    header = "X-Account-Quota-Bytes-Policy-Silver"
    try:
        assert owner.post("", headers={header: "5"}).status == 403
        assert admin.post(owner.account, headers={header: "5"}).status == 204
        assert owner.put(names["silver"] + "/o", b"x" * 6).status == 413
        assert owner.put(names["silver"] + "/o", iter([b"xxx", b"xxx"])).status == 413
        assert owner.put(names["silver"] + "/o", b"x" * 5).status == 201
        assert owner.put(names["gold"] + "/o", b"x" * 6).status == 201
    finally:
        assert admin.post(owner.account, headers={header: ""}).status == 204
        for name in names.values():
            owner.empty(name)
        owner.close()


@pytest.mark.parametrize("query,status", [
    ("limit=10001", 412), ("limit=10000", 200), ("limit=-1", 200), ("limit=x", 200),
    ("prefix=%ff", 400), ("marker=%ff", 400), ("end_marker=%ff", 400), ("delimiter=%ff", 400),
])
def test_listing_errors(client, query, status):
    assert client.get("", query=query + "&format=json").status == status
