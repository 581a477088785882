"""What every API of needletail-compute does: discovery, tokens, routes, errors, request ids."""
import re

import pytest

from tests.compute.conftest import service
from tests.compute.service import Service

ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_versions(nobody):
    res = nobody.get("/")
    assert res.status == 300
    versions = res.json["versions"]
    assert versions[0]["id"] == "v2.15" and versions[0]["status"] == "CURRENT"
    assert versions[0]["links"][0]["href"] == "http://127.0.0.1:%d/v2/" % nobody.port
    assert nobody.get("/versions").status == 200
    res = nobody.get("/", headers={"X-Forwarded-Host": "images.example:1",
                                   "X-Forwarded-Proto": "https"})
    assert res.json["versions"][0]["links"][0]["href"] == "https://images.example:1/v2/"


def test_common_pages(nobody):
    assert nobody.get("/healthcheck").body == b"OK"
    assert b"needletail_compute_requests_total" in nobody.get("/metrics").body


def test_tokens(one, nobody):
    for token in (None, "nonsense", "gAAAA" + "x" * 200):
        res = nobody.get("images", token=token)
        assert res.status == 401 and res.headers["WWW-Authenticate"].startswith("Keystone uri=")
    assert one.get("images").status == 200


def test_revoked_token(compute_cluster, one):
    """It may go on for token_cache_time, here half a second."""
    assert one.get("images").status == 200
    client = compute_cluster.client(None)
    assert client.delete("/v3/auth/tokens", headers={
        "X-Auth-Token": one.token, "X-Subject-Token": one.token}).status == 204
    compute_cluster.wait_for(lambda: one.get("images").status == 401)
    one.login(compute_cluster, "one")


def test_errors(one):
    res = one.get("nothing", headers={"Accept": "application/json"})
    assert res.status == 404 and res.json["code"] == "404 Not Found"
    assert res.json["title"] == "Not Found" and "message" in res.json
    res = one.get("images/<b>", headers={"Accept": "*/*"})
    assert res.status == 404 and res.headers["Content-Type"].startswith("text/html")
    assert b"<b>" not in res.body
    res = one.put("images")
    assert res.status == 405 and res.headers["Allow"] == "POST, GET"
    for body in (b"", b"{", b"[" * 1000, b"\xff\xfe"):
        assert one.post("images", body).status == 400, body
    assert one.post("images", b'{"a":"' + b"x" * 300000 + b'"}').status == 413


def test_slash_at_the_end(one):
    assert one.post("images/", '{"name": "x"}').status == 201
    assert one.get("images/").status == 404
    assert one.delete("images/").status == 404


def test_request_id(one):
    ids = [one.get(p).headers["X-Openstack-Request-Id"] for p in ("images", "/", "none", "/")]
    assert all(ID.fullmatch(i) for i in ids) and len(set(ids)) == 4


def test_connection_close(one):
    res = one.get("images", headers={"Connection": "close"})
    assert res.headers["Connection"] == "close"


@pytest.mark.limit_s(60)
def test_without_store(make_compute):
    """It answers 503 while nobody else does, and goes on when they come back."""
    cluster = make_compute(compute="store_timeout = 2s")
    one = service(cluster, "one")
    assert one.create(name="x")["name"] == "x"
    cluster.kill("needletail-objectd: ")
    assert one.get("images").status in (200, 503)
    cluster.wait_for(lambda: one.get("images").status == 200)
    assert one.names() == ["x"]
    anonymous = Service(cluster.host, cluster.port + 10)
    assert anonymous.get("/").status == 300
