"""Requests of scripts in browsers: preflights, real requests, and errors that scripts can read."""
import pytest

from tests.harness.cluster import SAIO_CONF

A, B, C = "http://a.example", "http://b.example:81", "http://c.example"
ALWAYS = {"cache-control", "content-language", "content-type", "expires", "last-modified", "pragma",
          "etag", "x-timestamp", "x-trans-id", "x-openstack-request-id"}


@pytest.fixture
def shared(client, container):
    client.post(container, headers={
        "X-Container-Meta-Access-Control-Allow-Origin": A + " " + B,
        "X-Container-Meta-Access-Control-Max-Age": "5",
        "X-Container-Meta-Access-Control-Expose-Headers": "x-foo x-bar",
        "X-Container-Read": ".r:*"})
    client.put(container + "/o", b"0123456789", headers={"X-Object-Meta-Mine": "1"})
    return container


def preflight(client, path, origin, method=None, headers=None):
    h = {"Origin": origin}
    if method:
        h["Access-Control-Request-Method"] = method
    if headers:
        h["Access-Control-Request-Headers"] = headers
    return client.request("OPTIONS", path, headers=h, token=None)


def test_preflight(client, shared):
    for path in (shared, shared + "/o", shared + "/not-there"):
        res = preflight(client, path, B, "PUT", "x-a, x-b")
        assert res.status == 200 and res.body == b""
        assert res.headers["Access-Control-Allow-Origin"] == B
        assert res.headers["Access-Control-Allow-Headers"] == "x-a, x-b"
        assert res.headers["Access-Control-Max-Age"] == "5"
        assert {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"} <= set(
            res.headers["Access-Control-Allow-Methods"].split(", "))
        assert res.headers["Vary"] == "Origin, Access-Control-Request-Headers"
    res = preflight(client, shared, A, "GET")
    assert res.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Headers" not in res.headers


@pytest.mark.parametrize("origin,method", [(C, "GET"), (A, None), (A, "NONSENSE"),
                                           (A + ".evil", "GET"), ("null", "GET")])
def test_refused_preflight(client, shared, origin, method):
    res = preflight(client, shared + "/o", origin, method)
    assert res.status == 401
    assert "Access-Control-Allow-Origin" not in res.headers


def test_options_without_origin(client, shared):
    res = client.request("OPTIONS", shared + "/o", token=None)
    assert res.status == 200 and "Access-Control-Allow-Origin" not in res.headers
    assert set(res.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "POST", "DELETE",
                                                     "OPTIONS", "COPY"}
    res = client.request("OPTIONS", shared, token=None)
    assert "COPY" not in res.headers["Allow"]


def test_everybody(client, container):
    client.post(container, headers={"X-Container-Meta-Access-Control-Allow-Origin": "*"})
    res = preflight(client, container + "/o", C, "GET")
    assert res.status == 200 and res.headers["Access-Control-Allow-Origin"] == "*"


def test_accounts_have_none(client):
    res = preflight(client, "", A, "GET")
    assert res.status == 200 and "Access-Control-Allow-Origin" not in res.headers
    assert "Access-Control-Allow-Origin" not in client.get("", headers={"Origin": A}).headers


def test_real_requests(client, shared):
    res = client.get(shared + "/o", headers={"Origin": A}, token=None)
    assert res.status == 200 and res.body == b"0123456789"
    assert res.headers["Access-Control-Allow-Origin"] == A
    exposed = {h.strip().lower() for h in res.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed == ALWAYS | {"x-foo", "x-bar", "x-object-meta-mine"}
    assert "Origin" in res.headers["Vary"]
    res = client.get(shared + "/o", headers={"Origin": C}, token=None)
    assert res.status == 200 and "Access-Control-Allow-Origin" not in res.headers


@pytest.mark.parametrize("method,name,headers,token,status", [
    ("GET", "missing", {}, True, 404), ("PUT", "o", {}, None, 401), ("PUT", "o", {}, "wrong", 401),
    ("GET", "o", {"Range": "bytes=100-"}, None, 416),
    ("GET", "o", {"If-None-Match": "*"}, None, 304),
    ("GET", "o", {"If-Match": "x"}, None, 412), ("PUT", "o", {"If-None-Match": "*"}, True, 412),
    ("PUT", "o", {"X-Object-Meta-": "x"}, True, 400),
    ("PUT", "o", {"ETag": "0" * 32}, True, 422),
])
def test_errors_can_be_read(client, shared, method, name, headers, token, status):
    res = client.request(method, "%s/%s" % (shared, name), headers=dict(headers, Origin=A),
                         token=token)
    assert res.status == status
    assert res.headers["Access-Control-Allow-Origin"] == A


def test_preflight_ignores_who_asks(client, shared):
    """A browser sends no token with it. A bad one is refused; a good one opens nothing."""
    for token in None, True, "AUTH_tkwrong":
        res = client.request("OPTIONS", shared + "/o", token=token, headers={
            "Origin": A, "Access-Control-Request-Method": "DELETE"})
        assert res.status == (401 if token == "AUTH_tkwrong" else 200), token
        res = client.request("OPTIONS", shared + "/o", token=token, headers={
            "Origin": C, "Access-Control-Request-Method": "DELETE"})
        assert res.status == 401 and "Access-Control-Allow-Origin" not in res.headers


def test_settings_of_the_cluster(make_cluster, tmp_path):
    """Origins that every container allows, headers that all expose, and origins taken lightly."""
    with open(SAIO_CONF) as f:
        text = f.read().replace("[proxy]\n", "[proxy]\ncors_allow_origin = %s, %s\n"
                                "cors_expose_headers = x-every, x-more\n" % (A, B), 1)
    for strict in "yes", "no":
        conf = tmp_path / ("cors-%s.conf" % strict)
        conf.write_text(text.replace("[proxy]\n", "[proxy]\nstrict_cors_mode = %s\n" % strict, 1))
        cluster = make_cluster(conf=str(conf))
        c = cluster.client("tester")
        assert c.put("plain").status == 201
        assert c.put("own", headers={
            "X-Container-Meta-Access-Control-Allow-Origin": "http://own.example"}).status == 201
        for name in "plain", "own":
            assert c.put(name + "/o", b"x").status == 201
            for origin in A, B:
                assert preflight(c, name + "/o", origin, "PUT").status == 200
                res = c.get(name + "/o", headers={"Origin": origin})
                assert res.headers["Access-Control-Allow-Origin"] == origin
                exposed = res.headers["Access-Control-Expose-Headers"].split(", ")
                assert {"x-every", "x-more"} <= set(exposed)
            # What a browser asks before is never taken lightly.
            assert preflight(c, name + "/o", C, "PUT").status == 401
            res = c.get(name + "/o", headers={"Origin": C})
            assert res.status == 200
            assert res.headers.get("Access-Control-Allow-Origin") == (
                None if strict == "yes" else C)
        assert preflight(c, "own/o", "http://own.example", "PUT").status == 200
        assert preflight(c, "plain/o", "http://own.example", "PUT").status == 401
        c.close()
