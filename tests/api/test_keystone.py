"""Keystone's API and its clients, with the users of the configuration."""
import json
import os
import shutil
import socket
import subprocess
import uuid

import pytest

from tests.harness.client import Client
from tests.harness.cluster import SAIO_CONF
from tests.harness.ports import PortBlock


def auth(user="tester", password="testing", project="test", scope=None, **extra):
    body = {"identity": {"methods": ["password"], "password": {"user": dict({
        "name": user, "password": password, "domain": {"name": "Default"}}, **extra)}}}
    if project:
        body["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
    if scope:
        body["scope"] = scope
    return {"auth": body}


def post(client, path, doc, token=None):
    return client.post(path, json.dumps(doc), token=token,
                       headers={"Content-Type": "application/json"})


def login(client, **kw):
    res = post(client, "/v3/auth/tokens", auth(**kw))
    assert res.status == 201, res
    return res.headers["X-Subject-Token"], res.json["token"]


def test_versions(anonymous):
    res = anonymous.get("/")
    assert res.status == 300
    ids = [v["id"] for v in res.json["versions"]["values"]]
    assert ids == ["v3.14", "v2.0"]
    for path in ("/v3", "/v3/"):
        doc = anonymous.get(path).json["version"]
        assert doc["status"] == "stable"
        assert doc["links"][0]["href"].endswith("/v3/")


def test_token_works_on_the_swift_api(anonymous, client, container):
    token, doc = login(anonymous)
    assert [r["name"] for r in doc["roles"]] and doc["project"]["id"] == "test"
    url = [e["url"] for s in doc["catalog"] if s["type"] == "object-store"
           for e in s["endpoints"]][0]
    assert url.endswith("/v1/AUTH_test")
    assert anonymous.put("/v1/AUTH_test/%s/o" % container, b"x", token=token).status == 201
    assert client.get(container + "/o").body == b"x"
    assert anonymous.get("/v1/AUTH_test2", token=token).status == 403
    assert anonymous.get("/v1/AUTH_test", token=token[:-1]).status == 401
    assert anonymous.delete("/v1/AUTH_test", token=token).status in (403, 405)


def test_unscoped_and_rescoped(anonymous):
    token, doc = login(anonymous, project=None)
    assert "project" not in doc and "catalog" not in doc and "roles" not in doc
    res = post(anonymous, "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"project": {"id": "test"}}}})
    assert res.status == 201
    assert set(res.json["token"]["methods"]) == {"password", "token"}
    assert res.json["token"]["expires_at"] == doc["expires_at"]
    res = anonymous.get("/v3/auth/projects", token=token)
    assert [p["id"] for p in res.json["projects"]] == ["test"]


def test_check_and_revoke(anonymous):
    token, doc = login(anonymous)
    own, _doc = login(anonymous)
    headers = {"X-Subject-Token": token}
    res = anonymous.get("/v3/auth/tokens", token=own, headers=headers)
    assert res.status == 200 and res.json["token"] == doc
    assert anonymous.head("/v3/auth/tokens", token=own, headers=headers).status == 200
    assert "catalog" not in anonymous.get("/v3/auth/tokens?nocatalog", token=own,
                                          headers=headers).json["token"]
    other, _doc = login(anonymous, user="tester2", password="testing2", project="test2")
    assert anonymous.get("/v3/auth/tokens", token=other, headers=headers).status == 403
    assert anonymous.delete("/v3/auth/tokens", token=own, headers=headers).status == 204
    for _ in range(6):      # whichever worker is asked
        anonymous.close()
        assert anonymous.get("/v3/auth/tokens", token=own, headers=headers).status == 404
        anonymous.close()
        assert anonymous.get("/v1/AUTH_test", token=token).status == 401
    assert anonymous.get("/v1/AUTH_test", token=own).status in (200, 204)


@pytest.mark.parametrize("doc,status", [
    (auth(password="wrong"), 401), (auth(user="nobody"), 401), (auth(project="test2"), 401),
    (auth(project="none"), 401), (auth(password=None), 400), ({}, 400), ({"auth": []}, 400),
    ({"auth": {"identity": {"methods": []}}}, 400),
    ({"auth": {"identity": {"methods": ["token"], "token": {"id": "nt3.x"}}}}, 401),
    ({"auth": {"identity": {"methods": ["external"]}}}, 401),
    (auth(scope={"system": {"all": True}}), 401),
    (auth(scope={"project": {"name": "test"}}), 400),
])
def test_refused(anonymous, doc, status):
    res = post(anonymous, "/v3/auth/tokens", doc)
    assert res.status == status
    assert res.json["error"]["code"] == status and res.json["error"]["message"]


def test_bad_bodies(anonymous):
    for body in (b"", b"{", b"[]", b"[" * 100000, b'{"a":' * 3000, b"\xff\xfe", b"null"):
        assert anonymous.post("/v3/auth/tokens", body).status == 400
    assert anonymous.post("/v3/auth/tokens", b" " * 300000).status == 413


def test_acl_by_project_and_user(anonymous, client, container):
    token, doc = login(anonymous, user="tester2", password="testing2", project="test2")
    path = "/v1/AUTH_test/%s" % container
    assert anonymous.get(path, token=token).status == 403
    user = doc["user"]["id"]
    for acl in ("test2:" + user, "test2:tester2", "test2:*", "*:" + user, "*:tester2", "*:*"):
        assert client.post(container, headers={"X-Container-Read": acl}).status == 204
        assert anonymous.get(path, token=token).status in (200, 204), acl
        assert anonymous.put(path + "/x", b"", token=token).status == 403
    for acl in ("test:*", "test2:nobody", "member"):
        assert client.post(container, headers={"X-Container-Read": acl}).status == 204
        assert anonymous.get(path, token=token).status == 403, acl


def test_reseller_admin(anonymous, container):
    token, _doc = login(anonymous, user="admin", password="admin", project="admin")
    assert anonymous.get("/v1/AUTH_test/" + container, token=token).status in (200, 204)


def test_v2(anonymous):
    doc = {"auth": {"passwordCredentials": {"username": "tester", "password": "testing"},
                    "tenantName": "test"}}
    res = post(anonymous, "/v2.0/tokens", doc)
    assert res.status == 200
    access = res.json["access"]
    token = access["token"]["id"]
    assert access["token"]["tenant"]["id"] == "test"
    assert anonymous.get("/v1/AUTH_test", token=token).status in (200, 204)
    assert anonymous.get("/v2.0/tenants", token=token).json["tenants"][0]["name"] == "test"
    doc["auth"]["passwordCredentials"]["password"] = "x"
    assert post(anonymous, "/v2.0/tokens", doc).status == 401


# ---- real clients ----

def run(cluster, command, version="3", **env):
    full = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "ST_"))}
    full.update({"OS_AUTH_URL": cluster.endpoint, "OS_USERNAME": "tester",
                 "OS_PASSWORD": "testing", "OS_PROJECT_NAME": "test",
                 "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
                 "OS_IDENTITY_API_VERSION": version}, **env)
    done = subprocess.run(command, env=full, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


needs_openstack = pytest.mark.skipif(not shutil.which("openstack"), reason="no openstack client")


@needs_openstack
def test_openstack_client(cluster, tmp_path):
    name = "osc-" + uuid.uuid4().hex[:8]
    assert run(cluster, ["openstack", "token", "issue", "-f", "value", "-c", "project_id"]) == \
        "test\n"
    catalog = run(cluster, ["openstack", "catalog", "list"])
    assert "object-store" in catalog and "/v1/AUTH_test" in catalog
    f = tmp_path / "file"
    f.write_text("hello")
    run(cluster, ["openstack", "container", "create", name])
    run(cluster, ["openstack", "object", "create", "--name", "o", name, str(f)])
    assert run(cluster, ["openstack", "object", "save", "--file", "-", name, "o"]) == "hello"
    run(cluster, ["openstack", "container", "delete", "-r", name])


@pytest.mark.parametrize("version,suffix", [("3", ""), ("3", "/v3"), ("2", "/v2.0")])
def test_swift_client(cluster, version, suffix):
    out = run(cluster, ["swift", "--auth-version", version, "stat"],
              OS_AUTH_URL=cluster.endpoint + suffix, OS_TENANT_NAME="test")
    assert "AUTH_test" in out


@pytest.mark.skipif(not shutil.which("rclone"), reason="no rclone")
@pytest.mark.parametrize("version", [2, 3])
def test_rclone(cluster, tmp_path, version):
    conf = tmp_path / "rclone.conf"
    conf.write_text(
        "[s]\ntype = swift\nuser = tester\nkey = testing\ntenant = test\n"
        "auth = %s/v%s\nregion = RegionOne\n" % (cluster.endpoint, "3" if version == 3 else "2.0")
        + ("domain = Default\ntenant_domain = Default\n" if version == 3 else ""))
    name = "rc-" + uuid.uuid4().hex[:8]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("data")
    run(cluster, ["rclone", "--config", str(conf), "copy", str(tmp_path / "d"), "s:" + name])
    assert run(cluster, ["rclone", "--config", str(conf), "cat", "s:%s/f" % name]) == "data"
    run(cluster, ["rclone", "--config", str(conf), "purge", "s:" + name])


def test_rclone_and_swift_with_v1(cluster, tmp_path):
    conf = tmp_path / "rclone.conf"
    conf.write_text("[s]\ntype = swift\nuser = test:tester\nkey = testing\n"
                    "auth = %s/auth/v1.0\n" % cluster.endpoint)
    name = "rc1-" + uuid.uuid4().hex[:8]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("data")
    v1 = ["swift", "--auth-version", "1", "-A", cluster.endpoint + "/auth/v1.0",
          "-U", "test:tester", "-K", "testing"]
    drop = dict.fromkeys(("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"), "")
    if shutil.which("rclone"):
        run(cluster, ["rclone", "--config", str(conf), "copy", str(tmp_path / "d"), "s:" + name])
        assert run(cluster, v1 + ["list", name], **drop) == "f\n"
        run(cluster, ["rclone", "--config", str(conf), "purge", "s:" + name])
    run(cluster, v1 + ["upload", name, str(tmp_path / "d" / "f"), "--object-name", "o"], **drop)
    assert run(cluster, v1 + ["download", name, "o", "-o", "-"], **drop) == "data"
    run(cluster, v1 + ["delete", name], **drop)


@needs_openstack
def test_keystones_port(make_cluster):
    """Without a word in the configuration, unless somebody has the port: then it goes on."""
    cluster = make_cluster()
    if "the identity service also has port 5000" not in cluster.log():
        with socket.create_connection(("127.0.0.1", 5000)):
            pass
        return
    out = run(cluster, ["openstack", "token", "issue", "-f", "value", "-c", "project_id"],
              OS_AUTH_URL="http://127.0.0.1:5000")
    assert out == "test\n"
    url = run(cluster, ["openstack", "catalog", "show", "object-store", "-f", "json"],
              OS_AUTH_URL="http://127.0.0.1:5000")
    assert cluster.endpoint + "/v1/AUTH_test" in url


def test_port_of_its_own(make_cluster, tmp_path):
    with open(SAIO_CONF, encoding="utf-8") as f:
        text = f.read()
    ports = PortBlock()
    conf = tmp_path / "own-port.conf"
    conf.write_text(text + "\n[keystone]\nbind_port = %d\n" % ports.first)
    cluster = make_cluster(conf=str(conf))
    client = Client("127.0.0.1", ports.first)
    doc = login(client)[1]
    client.close()
    ports.release()
    urls = {s["type"]: s["endpoints"][0]["url"] for s in doc["catalog"]}
    assert urls["object-store"] == cluster.endpoint + "/v1/AUTH_test"
    assert urls["identity"] == "http://127.0.0.1:%d/v3" % ports.first
