"""What Keystone has beside users, projects and roles: trees of projects, trusts, tags, filters of
the catalog, limits, credentials, access rules."""
import datetime
import json
import time
import uuid

import pytest

from tests.api.test_identity_admin import Admin, account_status, token_of
from tests.api.test_keystone import auth, login, post


@pytest.fixture
def admin(anonymous):
    return Admin(anonymous)


@pytest.fixture
def member(admin):
    project, user = admin.make("project"), admin.make("user", password="secret")
    role = admin("GET", "/roles?name=member", want=200)["roles"][0]["id"]
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (project["id"], user["id"], role), want=204)
    yield project, user, role
    admin("DELETE", "/users/" + user["id"])
    admin("DELETE", "/projects/" + project["id"])


def call(client, method, path, token, doc=None, want=None, headers=None):
    client.close()
    res = client.request(method, "/v3" + path, None if doc is None else json.dumps(doc),
                         token=token, headers=headers)
    if want:
        assert res.status == want, res
    return res.json if res.body else res


# ---- trees ----

def test_inherited_roles(admin, anonymous, member):
    _project, user, role = member
    top = admin.make("project")
    middle = admin.make("project", parent_id=top["id"])
    leaf = admin.make("project", parent_id=middle["id"])
    grant = "/OS-INHERIT/projects/%s/users/%s/roles/%s/inherited_to_projects" % (
        top["id"], user["id"], role)
    admin("PUT", grant, want=204)
    admin("HEAD", grant, want=204)
    # Below it, not on it.
    for project, status in ((top, 401), (middle, 201), (leaf, 201)):
        res = post(anonymous, "/v3/auth/tokens", auth(user=user["name"], password="secret",
                                                      project=project["name"]))
        assert res.status == status
    token = res.headers["X-Subject-Token"]
    assert anonymous.get("/v1/AUTH_" + leaf["id"], token=token).status in (200, 204)
    names = [p["id"] for p in call(anonymous, "GET", "/auth/projects", token)["projects"]]
    assert leaf["id"] in names and middle["id"] in names and top["id"] not in names
    found = admin("GET", "/role_assignments?effective&user.id=%s&scope.project.id=%s"
                  % (user["id"], leaf["id"]), want=200)["role_assignments"]
    assert [a["role"]["id"] for a in found] == [role]
    found = admin("GET", "/role_assignments?user.id=%s&scope.OS-INHERIT:inherited_to=projects"
                  % user["id"], want=200)["role_assignments"]
    assert found[0]["scope"]["OS-INHERIT:inherited_to"] == "projects"
    admin("DELETE", grant, want=204)
    anonymous.close()
    assert anonymous.get("/v1/AUTH_" + leaf["id"], token=token).status == 401
    for project in (leaf, middle, top):
        admin("DELETE", "/projects/" + project["id"], want=204)


def test_inherited_from_a_domain(admin, anonymous):
    domain = admin.make("domain")
    project = admin.make("project", domain_id=domain["id"])
    user = admin.make("user", domain_id=domain["id"], password="secret")
    group = admin.make("group", domain_id=domain["id"])
    role = admin("GET", "/roles?name=member", want=200)["roles"][0]["id"]
    admin("PUT", "/groups/%s/users/%s" % (group["id"], user["id"]), want=204)
    doc = {"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"id": user["id"], "password": "secret"}}},
        "scope": {"project": {"id": project["id"]}}}}
    assert post(anonymous, "/v3/auth/tokens", doc).status == 401
    admin("PUT", "/OS-INHERIT/domains/%s/groups/%s/roles/%s/inherited_to_projects"
          % (domain["id"], group["id"], role), want=204)
    anonymous.close()
    res = post(anonymous, "/v3/auth/tokens", doc)
    assert res.status == 201
    assert anonymous.put("/v1/AUTH_%s/c" % project["id"],
                         token=res.headers["X-Subject-Token"]).status in (201, 202)
    doc["auth"]["scope"] = {"domain": {"id": domain["id"]}}
    assert post(anonymous, "/v3/auth/tokens", doc).status == 401
    admin("PATCH", "/domains/" + domain["id"], {"domain": {"enabled": False}}, 200)
    admin("DELETE", "/domains/" + domain["id"], want=204)


def test_tree_of_projects(admin):
    chain = [admin.make("project")]
    while len(chain) < 5:
        chain.append(admin.make("project", parent_id=chain[-1]["id"]))
    ids = [p["id"] for p in chain]
    admin("POST", "/projects", {"project": {"name": "deep", "parent_id": ids[-1]}}, 403)
    got = admin("GET", "/projects/%s?parents_as_list&subtree_as_ids" % ids[2], want=200)["project"]
    assert [p["project"]["id"] for p in got["parents"]] == [ids[1], ids[0]]
    assert got["subtree"] == {ids[3]: {ids[4]: None}}
    got = admin("GET", "/projects/%s?subtree_as_list&parents_as_ids" % ids[2], want=200)["project"]
    assert [p["project"]["id"] for p in got["subtree"]] == ids[3:]
    assert got["parents"] == {ids[1]: {ids[0]: {"default": None}}}
    admin("DELETE", "/projects/" + ids[0], want=403)
    admin("PATCH", "/projects/" + ids[0], {"project": {"enabled": False}}, 403)
    admin("PATCH", "/projects/" + ids[1], {"project": {"parent_id": ids[3]}}, 403)
    for project in reversed(ids):
        admin("PATCH", "/projects/" + project, {"project": {"enabled": False}}, 200)
    admin("PATCH", "/projects/" + ids[3], {"project": {"enabled": True}}, 403)
    admin("POST", "/projects", {"project": {"name": "x", "parent_id": ids[0]}}, 400)
    for project in reversed(ids):
        admin("DELETE", "/projects/" + project, want=204)


def test_domains_are_projects(admin):
    made = admin("POST", "/projects", {"project": {
        "name": "d" + uuid.uuid4().hex[:8], "is_domain": True, "domain_id": None}}, 201)["project"]
    assert made["is_domain"] is True and made["domain_id"] is None
    path = "/projects/" + made["id"]
    assert admin("GET", "/domains/" + made["id"], want=200)["domain"]["name"] == made["name"]
    assert admin("GET", path, want=200)["project"]["is_domain"] is True
    all_ids = [p["id"] for p in admin("GET", "/projects", want=200)["projects"]]
    domains = [p["id"] for p in admin("GET", "/projects?is_domain=true", want=200)["projects"]]
    assert made["id"] not in all_ids and made["id"] in domains
    admin("DELETE", path, want=403)
    admin("PATCH", path, {"project": {"enabled": False}}, 200)
    admin("DELETE", path, want=204)
    admin("GET", "/domains/" + made["id"], want=404)


def test_tags(admin, anonymous, member):
    project = "/projects/" + member[0]["id"]
    admin("PUT", project + "/tags", {"tags": ["a", "b"]}, 200)
    admin("PUT", project + "/tags/c", want=201)
    assert admin("GET", project + "/tags", want=200)["tags"] == ["a", "b", "c"]
    admin("HEAD", project + "/tags/c", want=204)
    admin("HEAD", project + "/tags/d", want=404)
    for query, found in (("tags=a,b", True), ("tags=a,x", False), ("tags-any=x,a", True),
                         ("not-tags=a,x", True), ("not-tags-any=a,x", False)):
        got = admin("GET", "/projects?" + query, want=200)["projects"]
        assert (member[0]["id"] in [p["id"] for p in got]) == found, query
    for bad in (["a/b"], ["a,b"], [""], ["x" * 256], [1], "a", ["t%d" % i for i in range(81)]):
        admin("PUT", project + "/tags", {"tags": bad}, 400)
        admin("PATCH", project, {"project": {"tags": bad}}, 400)
    token = token_of(anonymous, member)
    call(anonymous, "GET", project + "/tags", token, want=200)
    call(anonymous, "PUT", project + "/tags/x", token, want=403)
    admin("DELETE", project + "/tags/a", want=204)
    admin("DELETE", project + "/tags", want=204)
    assert admin("GET", project + "/tags", want=200)["tags"] == []


def test_pages(admin):
    names = sorted(admin.make("role")["name"] for _ in range(5))
    seen, path = [], "/roles?limit=2&name__startswith=role"
    while path:
        page = admin("GET", path, want=200)
        assert len(page["roles"]) <= 2
        seen += [r["name"] for r in page["roles"]]
        path = page["links"]["next"] and page["links"]["next"].split("/v3")[1]
    assert set(names) <= set(seen) and len(seen) == len(set(seen))
    for bad in ("x", "-1", "0"):
        admin("GET", "/roles?limit=" + bad, want=400)
    for name in names:
        admin("DELETE", "/roles/" + admin("GET", "/roles?name=" + name)["roles"][0]["id"],
              want=204)


# ---- trusts ----

@pytest.mark.parametrize("impersonation", [True, False])
def test_trust(admin, anonymous, member, impersonation):
    project, trustor, role = member
    trustee = admin.make("user", password="secret")
    other = admin.make("role")
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (project["id"], trustor["id"], other["id"]),
          want=204)
    token = token_of(anonymous, member)
    asked = {"trustor_user_id": trustor["id"], "trustee_user_id": trustee["id"],
             "project_id": project["id"], "impersonation": impersonation,
             "roles": [{"id": role}]}
    for change, status in (({"roles": []}, 403), ({"roles": [{"name": "admin"}]}, 403),
                           ({"trustor_user_id": trustee["id"]}, 403),
                           ({"trustee_user_id": "none"}, 404), ({"expires_at": "bad"}, 400),
                           ({"expires_at": "2001-01-01T00:00:00Z"}, 400),
                           ({"impersonation": 1}, 400)):
        call(anonymous, "POST", "/OS-TRUST/trusts", token, {"trust": dict(asked, **change)},
             status)
    trust = call(anonymous, "POST", "/OS-TRUST/trusts", token, {"trust": asked}, 201)["trust"]
    doc = {"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"id": trustee["id"], "password": "secret"}}},
        "scope": {"OS-TRUST:trust": {"id": trust["id"]}}}}
    anonymous.close()
    res = post(anonymous, "/v3/auth/tokens", doc)
    assert res.status == 201
    lent, about = res.headers["X-Subject-Token"], res.json["token"]
    assert about["user"]["id"] == (trustor if impersonation else trustee)["id"]
    assert [r["id"] for r in about["roles"]] == [role]
    assert about["OS-TRUST:trust"]["id"] == trust["id"]
    assert account_status(anonymous, member, lent) in (200, 204)
    # It is for its purpose only.
    res = post(anonymous, "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["token"], "token": {"id": lent}},
        "scope": {"project": {"id": project["id"]}}}})
    assert res.status == 401
    call(anonymous, "POST", "/users/%s/application_credentials" % about["user"]["id"], lent,
         {"application_credential": {"name": "c"}}, 403)
    call(anonymous, "POST", "/OS-TRUST/trusts", lent, {"trust": asked}, 403)
    doc["auth"]["identity"]["password"]["user"]["id"] = trustor["id"]
    assert post(anonymous, "/v3/auth/tokens", doc).status == 403
    call(anonymous, "DELETE", "/OS-TRUST/trusts/" + trust["id"], token, want=204)
    assert account_status(anonymous, member, lent) == 401
    admin("DELETE", "/users/" + trustee["id"], want=204)
    admin("DELETE", "/roles/" + other["id"], want=204)


def test_trust_ends_with_its_trustor(admin, anonymous, member):
    project, trustor, role = member
    trustee = admin.make("user", password="secret")
    token = token_of(anonymous, member)
    until = (datetime.datetime.utcnow() + datetime.timedelta(hours=1)).isoformat() + "Z"
    trust = call(anonymous, "POST", "/OS-TRUST/trusts", token, {"trust": {
        "trustor_user_id": trustor["id"], "trustee_user_id": trustee["id"],
        "project_id": project["id"], "impersonation": True, "roles": [{"id": role}],
        "expires_at": until}}, 201)["trust"]
    anonymous.close()
    res = post(anonymous, "/v3/auth/tokens", {"auth": {"identity": {
        "methods": ["password"], "password": {"user": {
            "id": trustee["id"], "password": "secret"}}},
        "scope": {"OS-TRUST:trust": {"id": trust["id"]}}}})
    assert res.json["token"]["expires_at"][:19] <= until[:19]
    lent = res.headers["X-Subject-Token"]
    admin("DELETE", "/projects/%s/users/%s/roles/%s" % (project["id"], trustor["id"], role),
          want=204)
    assert account_status(anonymous, member, lent) == 401
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (project["id"], trustor["id"], role), want=204)
    assert account_status(anonymous, member, lent) in (200, 204)
    admin("PATCH", "/users/" + trustee["id"], {"user": {"enabled": False}}, 200)
    assert account_status(anonymous, member, lent) == 401
    admin("DELETE", "/users/" + trustee["id"], want=204)
    admin("GET", "/OS-TRUST/trusts/" + trust["id"], want=404)


# ---- the catalog ----

def test_catalog_of_a_project(admin, anonymous, member):
    services = {s["type"]: s["id"] for s in admin("GET", "/services", want=200)["services"]}
    group = admin("POST", "/OS-EP-FILTER/endpoint_groups", {"endpoint_group": {
        "name": "g", "filters": {"service_id": services["object-store"],
                                 "interface": "public"}}}, 201)["endpoint_group"]
    path = "/OS-EP-FILTER/endpoint_groups/" + group["id"]
    found = admin("GET", path + "/endpoints", want=200)["endpoints"]
    assert [e["interface"] for e in found] == ["public"]
    admin("PUT", path + "/projects/" + member[0]["id"], want=204)
    admin("HEAD", path + "/projects/" + member[0]["id"], want=204)
    doc = login(anonymous, user=member[1]["name"], password="secret",
                project=member[0]["name"])[1]
    assert [(s["type"], len(s["endpoints"])) for s in doc["catalog"]] == [("object-store", 1)]
    identity = admin("GET", "/endpoints?service_id=" + services["identity"],
                     want=200)["endpoints"][0]["id"]
    link = "/OS-EP-FILTER/projects/%s/endpoints/%s" % (member[0]["id"], identity)
    admin("PUT", link, want=204)
    anonymous.close()
    doc = login(anonymous, user=member[1]["name"], password="secret",
                project=member[0]["name"])[1]
    assert {s["type"] for s in doc["catalog"]} == {"object-store", "identity"}
    listed = admin("GET", "/OS-EP-FILTER/projects/%s/endpoints" % member[0]["id"], want=200)
    assert len(listed["endpoints"]) == 2
    admin("DELETE", link, want=204)
    admin("DELETE", path, want=204)
    anonymous.close()
    doc = login(anonymous, user=member[1]["name"], password="secret",
                project=member[0]["name"])[1]
    assert len(doc["catalog"]) > 1


# ---- limits ----

@pytest.fixture
def limited(admin):
    """limit(resource, default): a registered limit of the store."""
    service = admin("GET", "/services?type=object-store", want=200)["services"][0]["id"]
    made = []

    def make(resource, default):
        doc = admin("POST", "/registered_limits", {"registered_limits": [{
            "service_id": service, "resource_name": resource, "default_limit": default}]}, 201)
        made.append(doc["registered_limits"][0]["id"])
        return service

    yield make
    for key in made:
        admin("DELETE", "/registered_limits/" + key)


def upload(client, member, token, name, size, chunked=False):
    client.close()
    body = [b"x" * size] if chunked else b"x" * size
    return client.put("/v1/AUTH_%s/c/%s" % (member[0]["id"], name), body, token=token).status


def test_limits_hold(admin, anonymous, member, limited, cluster):
    token = token_of(anonymous, member)
    assert anonymous.put("/v1/AUTH_%s/c" % member[0]["id"], token=token).status == 201
    service = limited("account_bytes", 1000000)
    assert upload(anonymous, member, token, "a", 600) == 201
    made = admin("POST", "/limits", {"limits": [{
        "project_id": member[0]["id"], "service_id": service, "resource_name": "account_bytes",
        "resource_limit": 1000}]}, 201)["limits"][0]
    admin("POST", "/limits", {"limits": [{
        "project_id": member[0]["id"], "service_id": service, "resource_name": "account_bytes",
        "resource_limit": 5}]}, 409)
    admin("POST", "/limits", {"limits": [{
        "project_id": member[0]["id"], "service_id": service, "resource_name": "other",
        "resource_limit": 5}]}, 403)
    assert upload(anonymous, member, token, "big", 2000) == 413
    cluster.wait_for(lambda: upload(anonymous, member, token, "b", 500) == 413,
                     what="the account's size")
    assert upload(anonymous, member, token, "d", 500, chunked=True) in (413, 499)
    assert call(anonymous, "GET", "/limits", token, want=200)["limits"][0]["id"] == made["id"]
    call(anonymous, "PATCH", "/limits/" + made["id"], token,
         {"limit": {"resource_limit": -1}}, 403)
    admin("PATCH", "/limits/" + made["id"], {"limit": {"resource_limit": -1}}, 200)
    assert upload(anonymous, member, token, "b", 500) == 201
    assert upload(anonymous, member, token, "big", 2000) == 201
    call(anonymous, "GET", "/limits/model", token, want=200)
    for bad in ({"resource_limit": "1"}, {"resource_limit": -2}, {"resource_limit": None}):
        admin("PATCH", "/limits/" + made["id"], {"limit": bad}, 400)


# ---- credentials ----

def test_ec2_credentials(admin, anonymous, member):
    token = token_of(anonymous, member)
    path = "/users/%s/credentials/OS-EC2" % member[1]["id"]
    made = call(anonymous, "POST", path, token, {"tenant_id": member[0]["id"]}, 201)["credential"]
    assert made["access"] and made["secret"] and made["tenant_id"] == member[0]["id"]
    one = path + "/" + made["access"]
    assert call(anonymous, "GET", one, token, want=200)["credential"] == made
    assert call(anonymous, "GET", path, token, want=200)["credentials"] == [made]
    call(anonymous, "POST", path, token, {"tenant_id": "test"}, 403)
    call(anonymous, "POST", path, token, {"tenant_id": "none"}, 404)
    call(anonymous, "POST", path, token, {}, 400)
    other = login(anonymous)[0]
    call(anonymous, "GET", one, other, want=403)
    call(anonymous, "DELETE", one, token, want=204)
    call(anonymous, "GET", one, token, want=404)


def test_own_credentials(admin, anonymous, member):
    token, other = token_of(anonymous, member), login(anonymous)[0]
    made = call(anonymous, "POST", "/credentials", token,
                {"credential": {"type": "totp", "blob": "s3cret"}}, 201)["credential"]
    assert made["user_id"] == member[1]["id"] and made["blob"] == "s3cret"
    path = "/credentials/" + made["id"]
    assert call(anonymous, "GET", path, token, want=200)["credential"]["blob"] == "s3cret"
    assert admin("GET", path, want=200)["credential"]["blob"] == "s3cret"
    call(anonymous, "GET", path, other, want=403)
    call(anonymous, "PATCH", path, other, {"credential": {"blob": "x"}}, 403)
    assert made["id"] not in [c["id"] for c in call(anonymous, "GET", "/credentials", other,
                                                    want=200)["credentials"]]
    call(anonymous, "POST", "/credentials", other, {"credential": {
        "type": "totp", "blob": "x", "user_id": member[1]["id"]}}, 403)
    call(anonymous, "PATCH", path, token, {"credential": {"blob": "new"}}, 200)
    assert call(anonymous, "GET", path, token, want=200)["credential"]["blob"] == "new"
    call(anonymous, "DELETE", path, token, want=204)


def by_credential(made):
    return {"auth": {"identity": {"methods": ["application_credential"],
                                  "application_credential": {"id": made["id"],
                                                             "secret": made["secret"]}}}}


def make_credential(client, member, token, want=201, **members):
    members.setdefault("name", "c" + uuid.uuid4().hex[:8])
    doc = call(client, "POST", "/users/%s/application_credentials" % member[1]["id"], token,
               {"application_credential": members}, want)
    return doc.get("application_credential")


def test_access_rules(admin, anonymous, member):
    token = token_of(anonymous, member)
    account = "/v1/AUTH_" + member[0]["id"]
    assert anonymous.put(account + "/c", token=token).status == 201
    made = make_credential(anonymous, member, token, access_rules=[
        {"service": "object-store", "method": "GET", "path": "/v1/*/c/**"},
        {"service": "object-store", "method": "PUT", "path": "/v1/*/c/{name}"},
        {"service": "compute", "method": "GET", "path": "/**"}])
    anonymous.close()
    lent = post(anonymous, "/v3/auth/tokens", by_credential(made)).headers["X-Subject-Token"]
    for method, path, status in (("PUT", "/c/o", 201), ("GET", "/c/o", 200), ("GET", "/c", 401),
                                 ("DELETE", "/c/o", 401), ("PUT", "/c/a/b", 401),
                                 ("PUT", "/c/%61%2Fb", 401), ("PUT", "/c", 401),
                                 ("GET", "", 401), ("PUT", "/d/o", 401), ("GET", "/c/o", 200)):
        body = b"x" if method == "PUT" else None
        got = anonymous.request(method, account + path, body, token=lent).status
        assert got == status, (method, path)
    call(anonymous, "GET", "/auth/projects", lent, want=401)
    # A service that does not know of rules is told that there is no such token.
    subject = {"X-Subject-Token": lent}
    call(anonymous, "GET", "/auth/tokens", token, headers=subject, want=404)
    doc = call(anonymous, "GET", "/auth/tokens", token, want=200, headers=dict(
        subject, **{"OpenStack-Identity-Access-Rules": "1.0"}))
    assert len(doc["token"]["application_credential"]["access_rules"]) == 3
    path = "/users/%s/access_rules" % member[1]["id"]
    rules = call(anonymous, "GET", path, token, want=200)["access_rules"]
    assert len(rules) == 3
    rule = path + "/" + rules[0]["id"]
    call(anonymous, "DELETE", rule, token, want=403)
    call(anonymous, "DELETE", "/users/%s/application_credentials/%s"
         % (member[1]["id"], made["id"]), token, want=204)
    call(anonymous, "DELETE", rule, token, want=204)
    call(anonymous, "GET", rule, token, want=404)
    for bad in ([{}], "x", [{"service": "s", "method": "SPY", "path": "/"}],
                [{"service": "s", "method": "GET", "path": "x"}], [{"id": "none"}]):
        make_credential(anonymous, member, token, 400, access_rules=bad)


def test_application_credential_with_few_roles(admin, anonymous, member):
    other = admin.make("role")
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (member[0]["id"], member[1]["id"],
                                                     other["id"]), want=204)
    token = token_of(anonymous, member)
    made = make_credential(anonymous, member, token, roles=[{"id": other["id"]}])
    assert [r["id"] for r in made["roles"]] == [other["id"]]
    anonymous.close()
    res = post(anonymous, "/v3/auth/tokens", by_credential(made))
    assert [r["id"] for r in res.json["token"]["roles"]] == [other["id"]]
    assert res.json["token"]["application_credential"]["restricted"] is True
    assert account_status(anonymous, member, res.headers["X-Subject-Token"]) == 403
    make_credential(anonymous, member, token, 400, roles=[{"name": "admin"}])
    # An unrestricted one makes others; by name it needs its user.
    made = make_credential(anonymous, member, token, unrestricted=True, name="free")
    anonymous.close()
    lent = post(anonymous, "/v3/auth/tokens", {"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": {
            "name": "free", "secret": made["secret"],
            "user": {"id": member[1]["id"]}}}}}).headers["X-Subject-Token"]
    make_credential(anonymous, member, lent)
    admin("DELETE", "/projects/%s/users/%s/roles/%s" % (member[0]["id"], member[1]["id"],
                                                        member[2]), want=204)
    admin("DELETE", "/roles/" + other["id"], want=204)
    assert account_status(anonymous, member, lent) == 401


def test_application_credential_expires(anonymous, member):
    token = token_of(anonymous, member)
    soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=4)
    made = make_credential(anonymous, member, token, expires_at=soon.isoformat())
    anonymous.close()
    res = post(anonymous, "/v3/auth/tokens", by_credential(made))
    assert res.status == 201
    assert res.json["token"]["expires_at"][:19] <= soon.isoformat()[:19]
    lent = res.headers["X-Subject-Token"]
    deadline = time.monotonic() + 60
    while account_status(anonymous, member, lent) != 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert post(anonymous, "/v3/auth/tokens", by_credential(made)).status == 401
    for bad in ("yesterday", "2001-01-01T00:00:00"):
        make_credential(anonymous, member, token, 400, expires_at=bad)


# ---- scopes ----

def test_system_and_domain_scope(admin, anonymous):
    res = post(anonymous, "/v3/auth/tokens", auth(user="admin", password="admin", project=None,
                                                  scope={"system": {"all": True}}))
    assert res.status == 201
    doc, token = res.json["token"], res.headers["X-Subject-Token"]
    assert doc["system"] == {"all": True} and "project" not in doc and doc["roles"]
    assert call(anonymous, "GET", "/users", token, want=200)
    assert call(anonymous, "GET", "/auth/system", token, want=200)["system"] == [{"all": True}]
    assert anonymous.get("/v1/AUTH_test", token=token).status == 403
    res = post(anonymous, "/v3/auth/tokens", auth(user="admin", password="admin", project=None,
                                                  scope={"domain": {"name": "Default"}}))
    assert res.status == 201
    doc = res.json["token"]
    assert doc["domain"] == {"id": "default", "name": "Default"} and "project" not in doc
    urls = [e["url"] for s in doc["catalog"] for e in s["endpoints"]]
    assert urls and not [u for u in urls if "AUTH_" in u]
    res = post(anonymous, "/v3/auth/tokens?nocatalog", auth())
    assert res.status == 201 and "catalog" not in res.json["token"]
