"""The compute service without machines: versions, flavors, key pairs, quotas, aggregates, groups,
and servers for which there is no host."""
import base64
import os
import shutil
import subprocess

import pytest

from tests.compute.conftest import service as image_service
from tests.compute.service import Service, conf_text
from tests.conftest import _end, _start

KEY = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
       " somebody")


def service(cluster, user):
    s = Service(cluster.host, cluster.port + 11)
    s.account = "/v2.1"
    if user:
        s.login(cluster, user)
    return s


@pytest.fixture(name="cluster", scope="module")
def fixture_cluster(tmp_path_factory):
    path = tmp_path_factory.mktemp("server") / "server.conf"
    path.write_text(conf_text())
    c = _start(conf=str(path))
    yield c
    _end(c, shared=True)


@pytest.fixture(name="user")
def fixture_user(cluster):
    s = service(cluster, "one")
    yield s
    s.close()


@pytest.fixture(name="other")
def fixture_other(cluster):
    s = service(cluster, "two")
    yield s
    s.close()


@pytest.fixture(name="boss")
def fixture_boss(cluster):
    s = service(cluster, "admin")
    yield s
    s.close()


def at(version):
    return {"X-OpenStack-Nova-API-Version": version}


def ok(res, status=200):
    assert res.status == status, res
    return res.json if res.body else None


def test_versions(cluster):
    s = service(cluster, None)
    versions = ok(s.get("/"))["versions"]
    assert [v["id"] for v in versions] == ["v2.0", "v2.1"]
    assert versions[1]["min_version"] == "2.1" and versions[1]["status"] == "CURRENT"
    v = ok(s.get("/v2.1"))["version"]
    assert v["version"] == versions[1]["version"]
    assert v["links"][0]["href"] == "http://127.0.0.1:%d/v2.1/" % s.port
    assert ok(s.get("/v2.1/"))["version"] == v
    assert s.get("/v2/").status == 200
    assert s.get("flavors").status == 401
    s.close()


def test_microversions(user):
    res = user.get("flavors")
    assert res.headers["X-OpenStack-Nova-API-Version"] == "2.1"
    assert res.headers["OpenStack-API-Version"] == "compute 2.1"
    assert "OpenStack-API-Version" in res.headers["Vary"]
    assert res.headers["X-Compute-Request-Id"] == res.headers["X-Openstack-Request-Id"]
    res = user.get("flavors", headers={"OpenStack-API-Version": "compute 2.55"})
    assert res.headers["OpenStack-API-Version"] == "compute 2.55"
    assert "description" in res.json["flavors"][0]
    res = user.get("flavors", headers=at("2.999"))
    assert res.status == 406 and res.json["computeFault"]["code"] == 406
    assert user.get("flavors", headers=at("2")).json["badRequest"]["code"] == 400


def test_flavors(user, boss, other):
    names = [f["name"] for f in ok(user.get("flavors/detail"))["flavors"]]
    assert {"m1.tiny", "m1.small", "m1.medium", "m1.large", "m1.xlarge"} <= set(names)
    page = ok(user.get("flavors", query={"limit": "1"}))
    assert len(page["flavors"]) == 1
    assert "marker=" + page["flavors"][0]["id"] in page["flavors_links"][0]["href"]
    assert not ok(user.get("flavors", query={"minRam": "99999"}))["flavors"]
    assert user.get("flavors", query={"minRam": "x"}).status == 400
    assert user.get("flavors", query={"marker": "none"}).status == 400
    flavor = {"flavor": {"name": "big", "id": "77", "ram": 64, "vcpus": 1, "disk": 0,
                         "os-flavor-access:is_public": False}}
    assert user.send("POST", "flavors", flavor).status == 403
    made = ok(boss.send("POST", "flavors", flavor))["flavor"]
    assert made["swap"] == "" and made["ram"] == 64
    assert boss.send("POST", "flavors", flavor).status == 409
    assert user.get("flavors/77").status == 404
    grant = {"addTenantAccess": {"tenant": user.project}}
    assert len(ok(boss.send("POST", "flavors/77/action", grant))["flavor_access"]) == 1
    assert boss.send("POST", "flavors/77/action", grant).status == 409
    assert user.get("flavors/77").status == 200 and other.get("flavors/77").status == 404
    ok(boss.send("POST", "flavors/77/os-extra_specs", {"extra_specs": {"hw:x": "1", "y": "2"}}))
    assert ok(user.get("flavors/77/os-extra_specs/hw:x")) == {"hw:x": "1"}
    assert boss.delete("flavors/77/os-extra_specs/y").status == 200
    assert boss.delete("flavors/77/os-extra_specs/y").status == 404
    assert ok(user.get("flavors/77", headers=at("2.61")))["flavor"]["extra_specs"] == {"hw:x": "1"}
    assert boss.delete("flavors/77").status == 202
    assert boss.delete("flavors/77").status == 404
    for bad in ({"ram": 0}, {"vcpus": "x"}, {"disk": -1}, {"name": ""}, {"swap": 1.5}):
        body = {"flavor": dict(flavor["flavor"], **bad)}
        assert boss.send("POST", "flavors", body).status == 400, bad


def test_keypairs(user, other, tmp_path):
    made = ok(user.send("POST", "os-keypairs", {"keypair": {"name": "made"}}))["keypair"]
    path = tmp_path / "key"
    path.write_text(made["private_key"])
    os.chmod(path, 0o600)
    public = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert public.split()[:2] == made["public_key"].split()[:2]
    given = ok(user.send("POST", "os-keypairs", {"keypair": {
        "name": "given", "public_key": KEY, "type": "ssh"}}, headers=at("2.2")), 201)["keypair"]
    assert given["fingerprint"] == "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba"
    assert "private_key" not in given
    assert user.send("POST", "os-keypairs", {"keypair": {"name": "given"}}).status == 409
    assert {k["keypair"]["name"] for k in ok(user.get("os-keypairs"))["keypairs"]} == \
        {"made", "given"}
    assert not ok(other.get("os-keypairs"))["keypairs"]
    assert other.get("os-keypairs/given").status == 404
    assert ok(user.get("os-keypairs/given"))["keypair"]["user_id"]
    for name in ("made", "given"):
        assert user.delete("os-keypairs/" + name).status == 202
    assert user.delete("os-keypairs/given").status == 404
    for bad in ({"name": ""}, {"name": "x" * 256}, {"name": "a/b"}, {"name": "x", "more": 1},
                {"name": "x", "public_key": "ssh-rsa JUNK"}, {"name": "x", "public_key": ""}):
        assert user.send("POST", "os-keypairs", {"keypair": bad}).status == 400, bad


def test_quotas(user, boss):
    limits = ok(user.get("limits"))["limits"]["absolute"]
    assert limits["maxTotalCores"] == 20 and "maxSecurityGroups" in limits
    limits = ok(user.get("limits", headers=at("2.36")))["limits"]["absolute"]
    assert "maxSecurityGroups" not in limits
    path = "os-quota-sets/" + user.project
    assert ok(user.get(path))["quota_set"]["instances"] == 10
    assert user.get("os-quota-sets/" + boss.project).status == 403
    assert user.send("PUT", path, {"quota_set": {"cores": 5}}).status == 403
    assert ok(boss.send("PUT", path, {"quota_set": {"cores": 5}}))["quota_set"]["cores"] == 5
    assert ok(user.get("limits"))["limits"]["absolute"]["maxTotalCores"] == 5
    assert ok(user.get(path + "/detail"))["quota_set"]["cores"]["limit"] == 5
    assert boss.send("PUT", path, {"quota_set": {"no": 5}}).status == 400
    assert boss.delete(path).status == 202
    assert ok(user.get(path))["quota_set"]["cores"] == 20


def test_hosts(user, boss):
    zones = ok(user.get("os-availability-zone"))["availabilityZoneInfo"]
    assert zones[0]["zoneName"] == "nova" and zones[0]["hosts"] is None
    for path in ("os-availability-zone/detail", "os-services", "os-hypervisors/detail",
                 "os-aggregates"):
        assert user.get(path).status == 403
        assert boss.get(path).status == 200
    assert ok(boss.get("os-hypervisors/statistics"))["hypervisor_statistics"]["count"] >= 0
    names = [e["name"] for e in ok(user.get("extensions"))["extensions"]]
    assert "Hosts" in names and ok(user.get("extensions/os-consoles"))["extension"]["alias"]


def test_aggregates(boss):
    made = ok(boss.send("POST", "os-aggregates", {"aggregate": {
        "name": "fast", "availability_zone": "east"}}))["aggregate"]
    assert made["availability_zone"] == "east" and "hosts" not in made
    path = "os-aggregates/%d" % made["id"]
    assert boss.send("POST", "os-aggregates", {"aggregate": {"name": "fast"}}).status == 409
    got = ok(boss.send("POST", path + "/action", {"set_metadata": {"metadata": {
        "disk": "ssd"}}}))["aggregate"]
    assert got["metadata"] == {"availability_zone": "east", "disk": "ssd"}
    assert boss.send("POST", path + "/action", {"add_host": {"host": "none"}}).status == 404
    assert ok(boss.send("PUT", path, {"aggregate": {"name": "slow"}}))["aggregate"]["updated_at"]
    assert boss.delete(path).status == 200
    assert boss.get(path).status == 404


def test_groups(user, other):
    made = ok(user.send("POST", "os-server-groups", {"server_group": {
        "name": "apart", "policies": ["anti-affinity"]}}))["server_group"]
    path = "os-server-groups/" + made["id"]
    assert made["members"] == [] and other.get(path).status == 404
    new = ok(user.get(path, headers=at("2.64")))["server_group"]
    assert new["policy"] == "anti-affinity" and new["rules"] == {}
    assert user.send("POST", "os-server-groups", {"server_group": {
        "name": "x", "policies": ["none"]}}).status == 400
    assert user.delete(path).status == 204
    assert user.get(path).status == 404


@pytest.fixture(name="image", scope="module")
def fixture_image(cluster):
    s = image_service(cluster, "one")
    made = s.create(name="small", disk_format="raw", container_format="bare")
    s.upload(made["id"], b"x" * 5000)
    yield made["id"]
    s.close()


def create(user, image, status=202, hints=None, headers=None, **fields):
    body = {"server": dict({"name": "s", "imageRef": image, "flavorRef": "42"}, **fields)}
    if hints:
        body["os:scheduler_hints"] = hints
    res = user.send("POST", "servers", body, headers=headers)
    assert res.status == status, res
    return res.json["server"] if status == 202 else res.json


def settled(cluster, user, server):
    """The server once it is scheduled."""
    def look():
        doc = ok(user.get("servers/" + server["id"], headers=at("2.90")))["server"]
        return doc if doc["status"] != "BUILD" else None
    return cluster.wait_for(look)


def test_no_host(cluster, user, other, boss, image):
    """A zone that no host is in: ERROR with the reason, whatever hosts there are."""
    made = create(user, image, metadata={"a": "b"}, accessIPv6="::babe:220.12.22.2",
                  user_data=base64.b64encode(b"#!/bin/sh").decode(), availability_zone="none")
    assert set(made) == {"id", "links", "security_groups", "OS-DCF:diskConfig", "adminPass"}
    doc = settled(cluster, user, made)
    assert doc["status"] == "ERROR" and doc["accessIPv6"] == "::babe:dc0c:1602"
    assert doc["fault"]["message"].startswith("No valid host was found."), doc
    assert doc["flavor"]["original_name"] == "m1.nano"
    path = "servers/" + made["id"]
    assert other.get(path).status == 404 and other.delete(path).status == 404
    assert ok(boss.get(path))["server"]["OS-EXT-SRV-ATTR:host"] is None
    old = ok(user.get(path))["server"]
    assert old["flavor"]["id"] == "42" and "locked" not in old and "tags" not in old
    # metadata and tags
    assert ok(user.get(path + "/metadata/a")) == {"meta": {"a": "b"}}
    assert ok(user.send("POST", path + "/metadata", {"metadata": {"c": "d"}})) == \
        {"metadata": {"a": "b", "c": "d"}}
    assert user.delete(path + "/metadata/a").status == 204
    assert user.get(path + "/metadata/a").status == 404
    assert user.put(path + "/tags/red", headers=at("2.26")).status == 201
    assert user.put(path + "/tags/red", headers=at("2.26")).status == 204
    assert ok(user.get(path + "/tags", headers=at("2.26"))) == {"tags": ["red"]}
    assert user.get(path + "/tags").status == 404
    # actions that this state does not allow
    for action in ("os-start", "pause", "unpause", "resume", "confirmResize", "restore"):
        res = user.send("POST", path + "/action", {action: None})
        assert res.status == 409 and "conflictingRequest" in res.json, action
    assert user.send("POST", path + "/action", {"dance": None}).status == 400
    assert user.send("POST", path + "/action", {"lock": None}).status == 202
    assert boss.send("POST", path + "/action", {"lock": None}).status == 202
    assert user.delete(path).status == 409
    assert user.send("POST", path + "/action", {"unlock": None}).status == 403
    assert boss.send("POST", path + "/action", {"unlock": None}).status == 202
    got = ok(user.send("PUT", path, {"server": {"name": "new"}}))["server"]
    assert got["name"] == "new" and "key_name" not in got
    actions = ok(user.get(path + "/os-instance-actions"))["instanceActions"]
    assert actions[-1]["action"] == "create"
    assert user.delete(path).status == 204
    assert user.get(path).status == 404


def test_list(cluster, user, other, boss, image):
    made = [create(user, image, name="n%d" % i, availability_zone="none") for i in range(3)]
    for m in made:
        settled(cluster, user, m)

    def names(who=user, **query):
        docs = ok(who.get("servers/detail", query=query))["servers"]
        return [d["name"] for d in docs]
    assert names() == ["n2", "n1", "n0"]
    assert names(sort_key="display_name", sort_dir="asc") == ["n0", "n1", "n2"]
    assert names(name="n[01]") == ["n1", "n0"]
    assert names(name="n1{3}") == [] and names(name="n1") == ["n1"]
    assert names(status="ERROR") == ["n2", "n1", "n0"] and names(status="ACTIVE") == []
    assert names(flavor="1") == [] and len(names(image=image)) == 3
    assert names(limit="1") == ["n2"] and names(marker=made[1]["id"]) == ["n0"]
    assert names(**{"changes-since": "2011-01-01T12:34:00Z"}) == ["n2", "n1", "n0"]
    assert names(other) == [] and names(boss) == []
    assert len(names(boss, all_tenants="1")) == 3
    assert user.get("servers", query={"all_tenants": "1"}).status == 403
    for query in ({"limit": "-1"}, {"marker": "x"}, {"changes-since": "x"}, {"name": "("},
                  {"sort_key": "x"}):
        assert user.get("servers", query=query).status == 400, query
    for m in made:
        assert user.delete("servers/" + m["id"]).status == 204
    assert names() == []


def test_bad_servers(user, image):
    for bad in ({"name": ""}, {"name": "x" * 256}, {"flavorRef": "none"}, {"imageRef": "x"},
                {"imageRef": "00000000-0000-4000-8000-000000000000"}, {"imageRef": 5},
                {"key_name": "none"}, {"networks": [{"uuid": "a-b"}]}, {"user_data": "%"},
                {"accessIPv4": "1.1.1.1.1"}, {"accessIPv6": "notv6"}, {"min_count": 1.5},
                {"min_count": 0}, {"min_count": 3, "max_count": 2}, {"metadata": {"": "x"}},
                {"metadata": {"k" * 256: "x"}}, {"metadata": []}, {"more": 1},
                {"OS-DCF:diskConfig": "x"}, {"description": "not before 2.19"}):
        create(user, image, 400, **bad)
    create(user, image, 403, flavorRef="5", min_count=9)
    create(user, image, 403, metadata={"k%d" % i: "v" for i in range(129)})
    create(user, image, 400, headers=at("2.37"))
    create(user, image, 400, hints={"group": "00000000-0000-4000-8000-000000000000"})
    assert not ok(user.get("servers"))["servers"]


def client_env(cluster):
    return dict(os.environ, OS_AUTH_URL="http://%s:%d/v3" % (cluster.host, cluster.port),
                OS_USERNAME="one", OS_PASSWORD="secret", OS_PROJECT_NAME="one",
                OS_USER_DOMAIN_NAME="Default", OS_PROJECT_DOMAIN_NAME="Default",
                OS_IDENTITY_API_VERSION="3")


@pytest.mark.skipif(not shutil.which("openstack") or not shutil.which("nova"),
                    reason="no clients")
def test_clients(cluster):
    def run(*args):
        return subprocess.run(args, env=client_env(cluster), check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    assert "m1.tiny" in run("openstack", "flavor", "list")
    assert "m1.tiny" in run("nova", "flavor-list")
    assert "PRIVATE KEY" in run("openstack", "keypair", "create", "k")
    assert "ssh" in run("nova", "keypair-list")
    run("openstack", "keypair", "delete", "k")
    assert "maxTotalCores" in run("openstack", "limits", "show", "--absolute")
    assert run("openstack", "server", "list", "-f", "value") == ""
