"""Quotas of containers and accounts; they hold for chunked uploads too."""
import pytest


def pieces(n):
    return iter([b"x" * 10] * n)


def test_container_bytes(client, container):
    assert client.post(container, headers={"X-Container-Meta-Quota-Bytes": "100"}).status == 204
    assert client.put(container + "/a", body=b"x" * 60).status == 201
    assert client.put(container + "/b", body=b"x" * 101).status == 413
    assert client.put(container + "/b", body=b"x" * 41).status == 413
    assert client.put(container + "/b", body=pieces(11)).status == 413
    assert client.head(container + "/b").status == 404
    assert client.post(container, headers={"X-Container-Meta-Quota-Bytes": "many"}).status == 400
    assert client.post(container, headers={"X-Container-Meta-Quota-Bytes": ""}).status == 204
    assert client.put(container + "/b", body=pieces(30)).status == 201


def test_container_count(client, container):
    assert client.post(container, headers={"X-Container-Meta-Quota-Count": "0"}).status == 204
    res = client.put(container + "/a", body=b"")
    assert res.status == 413 and res.body == b"Upload exceeds quota."
    assert client.post(container, headers={"X-Container-Meta-Quota-Count": "-1"}).status == 400
    assert client.post(container, headers={
        "X-Remove-Container-Meta-Quota-Count": "x"}).status == 204
    assert client.put(container + "/a", body=b"").status == 201


def test_container_usage_is_as_it_is_now(cluster, client, container):
    """Whichever worker is asked, and whatever it remembers."""
    quotas = {"X-Container-Meta-Quota-Count": "2", "X-Container-Meta-Quota-Bytes": "100"}
    assert client.post(container, headers=quotas).status == 204
    assert client.put(container + "/a", body=b"x" * 60).status == 201
    assert client.put(container + "/b", body=b"x" * 41).status == 413
    assert client.put(container + "/b", body=b"x" * 40).status == 201
    for _ in range(6):
        c = cluster.client("tester")
        assert c.put(container + "/c", body=b"").status == 413
        c.close()
    assert client.delete(container + "/a").status == 204
    assert client.put(container + "/c", body=b"x" * 61).status == 413
    assert client.put(container + "/c", body=b"x" * 60).status == 201


def test_refusal_tells_nobody_what_he_may_not_know(cluster, client, container):
    assert client.post(container, headers={"X-Container-Meta-Quota-Bytes": "1"}).status == 204
    other = cluster.client("other")
    path = "%s/%s/o" % (client.account, container)
    assert other.put(path, body=b"xx").status == 403
    other.close()


@pytest.mark.parametrize("header", ["X-Account-Quota-Bytes", "X-Account-Meta-Quota-Bytes"])
def test_account_bytes(cluster, header):
    owner, admin = cluster.client("other"), cluster.client("admin")
    account = owner.account
    assert owner.put("quota").status == 201
    try:
        assert owner.post("", headers={header: "10"}).status == 403
        assert admin.post(account, headers={header: "ten"}).status == 400
        assert admin.post(account, headers={header: "10"}).status == 204
        assert owner.head("").headers[header] == "10"
        assert owner.put("quota/a", body=b"x" * 11).status == 413
        assert owner.put("quota/a", body=pieces(2)).status == 413
        assert owner.put("nothere/a", body=b"x" * 11).status in (404, 413)
        assert admin.put(account + "/quota/a", body=b"x" * 11).status == 201
    finally:
        remove = header.replace("X-", "X-Remove-", 1)
        assert admin.post(account, headers={remove: "x"}).status == 204
    assert header not in owner.head("").headers
    assert owner.put("quota/b", body=b"x" * 11).status == 201
    owner.empty("quota")
    owner.close()
    admin.close()
