"""/info: true, complete, and more of it for who signs."""
import hashlib
import hmac
import time

import pytest

from tests.harness.cluster import SAIO_CONF

KEY = "secret-admin-key"
LIMITS = {
    "max_file_size": 5368709122, "max_meta_name_length": 128, "max_meta_value_length": 256,
    "max_meta_count": 90, "max_meta_overall_size": 4096, "max_header_size": 8192,
    "max_request_line": 8192, "max_object_name_length": 1024, "container_listing_limit": 10000,
    "account_listing_limit": 10000, "max_account_name_length": 256,
    "max_container_name_length": 256, "extra_header_count": 0,
}


def test_limits_and_policies(anonymous):
    res = anonymous.get("/info")
    assert res.status == 200
    assert res.headers["Content-Type"] == "application/json; charset=UTF-8"
    swift = res.json["swift"]
    assert {k: swift[k] for k in LIMITS} == LIMITS
    assert swift["strict_cors_mode"] is True and swift["allow_account_management"] is True
    assert swift["account_autocreate"] is True and swift["allow_open_expired"] is False
    assert swift["policies"] == [{"name": "gold", "aliases": "gold", "default": True},
                                 {"name": "silver", "aliases": "silver"}]
    assert swift["version"]
    assert not {"valid_api_versions", "auto_create_account_prefix"} & set(swift)


def test_middlewares(anonymous):
    info = anonymous.get("/info").json
    assert info["slo"] == {"max_manifest_segments": 1000, "max_manifest_size": 8388608,
                           "yield_frequency": 10, "min_segment_size": 1,
                           "allow_async_delete": True}
    assert info["bulk_delete"] == {"max_deletes_per_request": 10000, "max_failed_deletes": 1000}
    assert info["bulk_upload"] == {"max_containers_per_extraction": 10000,
                                   "max_failed_extractions": 1000}
    tempurl = info["tempurl"]
    assert sorted(tempurl["methods"]) == ["DELETE", "GET", "HEAD", "POST", "PUT"]
    assert tempurl["allowed_digests"] == ["sha1", "sha256", "sha512"]
    assert tempurl["deprecated_digests"] == ["sha1"]
    assert info["formpost"]["allowed_digests"] == ["sha1", "sha256", "sha512"]
    assert info["symlink"] == {"symloop_max": 2, "static_links": True}
    assert info["tempauth"] == {"account_acls": True}
    for name in ("staticweb", "account_quotas", "container_quotas", "crossdomain"):
        assert info[name] == {}


def test_methods(anonymous):
    whole = anonymous.get("/info")
    res = anonymous.head("/info")
    assert res.status == 200 and res.body == b""
    assert res.headers["Content-Length"] == str(len(whole.body))
    assert anonymous.request("OPTIONS", "/info").status == 200
    for method in ("PUT", "POST", "DELETE"):
        res = anonymous.request(method, "/info")
        assert res.status == 405
        assert set(res.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_origin(anonymous):
    res = anonymous.get("/info", headers={"Origin": "http://a.example"})
    assert res.headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert res.headers["Access-Control-Expose-Headers"] == "x-trans-id"
    assert "Access-Control-Allow-Origin" not in anonymous.get("/info").headers


def signed(method, expires, key=KEY):
    text = "%s\n%s\n/info" % (method, expires)
    sig = hmac.new(key.encode(), text.encode(), hashlib.sha1).hexdigest()
    return {"swiftinfo_sig": sig, "swiftinfo_expires": str(expires)}


def test_without_an_admin_key(anonymous):
    assert anonymous.get("/info", query=signed("GET", int(time.time()) + 100)).status == 403


@pytest.fixture(scope="module")
def with_key(tmp_path_factory):
    from tests.harness.cluster import Cluster
    conf = tmp_path_factory.mktemp("info") / "info.conf"
    with open(SAIO_CONF) as f:
        conf.write_text(f.read().replace("[proxy]", "[proxy]\nadmin_key = " + KEY, 1))
    with Cluster(conf=str(conf)) as c:
        yield c.client(None)


def test_signed(with_key):
    later, past = int(time.time()) + 100, int(time.time()) - 1
    plain = with_key.get("/info").json
    res = with_key.get("/info", query=signed("GET", later))
    assert res.status == 200
    assert res.json["swift"]["valid_api_versions"] == ["v1", "v1.0"]
    assert res.json["swift"]["auto_create_account_prefix"] == "."
    assert set(plain["swift"]) < set(res.json["swift"])
    assert "admin" not in plain
    assert {"swift.valid_api_versions", "swift.auto_create_account_prefix"} <= set(
        res.json["admin"]["disallowed_sections"])
    for method in ("GET", "HEAD"):
        assert with_key.head("/info", query=signed(method, later)).status == 200
    assert with_key.get("/info", query=signed("HEAD", later)).status == 401
    assert with_key.get("/info", query=signed("GET", past)).status == 401
    assert with_key.get("/info", query=signed("GET", later, "wrong")).status == 401
    assert with_key.get("/info", query=dict(signed("GET", later), swiftinfo_expires="x")
                        ).status == 401
    assert with_key.get("/info", query={"swiftinfo_sig": "x"}).status == 401


def test_not_exposed(make_cluster, tmp_path):
    conf = tmp_path / "closed.conf"
    with open(SAIO_CONF) as f:
        conf.write_text(f.read().replace("[proxy]", "[proxy]\nexpose_info = no", 1))
    c = make_cluster(conf=str(conf)).client(None)
    assert c.get("/info").status == 403
    c.close()
