"""Projects, users, roles and so on by an admin; what a change does to tokens that were given."""
import json
import uuid

import pytest

from tests.api.test_keystone import auth, login, needs_openstack, post, run


class Admin:
    def __init__(self, client):
        self.client = client
        self.token, _doc = login(client, user="admin", password="admin", project="admin")

    def __call__(self, method, path, doc=None, want=None):
        self.client.close()     # any worker may answer
        body = None if doc is None else json.dumps(doc)
        res = self.client.request(method, "/v3" + path, body, token=self.token)
        if want:
            assert res.status == want, res
        return res.json if res.body else res

    def make(self, kind, plural=None, **members):
        members.setdefault("name", kind + uuid.uuid4().hex[:8])
        return self("POST", "/" + (plural or kind + "s"), {kind: members}, 201)[kind]


@pytest.fixture
def admin(anonymous):
    return Admin(anonymous)


@pytest.fixture
def member(admin):
    """(project, user) with the role member; the password is "secret"."""
    project, user = admin.make("project"), admin.make("user", password="secret")
    role = admin("GET", "/roles?name=member", want=200)["roles"][0]["id"]
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (project["id"], user["id"], role), want=204)
    yield project, user, role
    admin("DELETE", "/users/" + user["id"])
    admin("DELETE", "/projects/" + project["id"])


def token_of(client, member, password="secret"):
    project, user, _role = member
    client.close()
    return login(client, user=user["name"], password=password, project=project["name"])[0]


def account_status(client, member, token):
    client.close()
    return client.get("/v1/AUTH_" + member[0]["id"], token=token).status


def test_made_user_works_on_every_worker(anonymous, member):
    for _ in range(6):
        token = token_of(anonymous, member)
        assert account_status(anonymous, member, token) in (200, 204)


def test_password_is_not_shown(admin, member):
    doc = admin("GET", "/users/" + member[1]["id"], want=200)["user"]
    assert not [k for k in doc if "password" in k and k != "password_expires_at"]
    assert not [k for k in doc if k.startswith("_")]


@pytest.mark.parametrize("change", ["user", "project", "role", "password", "delete"])
def test_change_ends_tokens(admin, anonymous, member, change):
    project, user, role = member
    token = token_of(anonymous, member)
    if change == "user":
        admin("PATCH", "/users/" + user["id"], {"user": {"enabled": False}}, 200)
    elif change == "project":
        admin("PATCH", "/projects/" + project["id"], {"project": {"enabled": False}}, 200)
    elif change == "role":
        admin("DELETE", "/projects/%s/users/%s/roles/%s" % (project["id"], user["id"], role),
              want=204)
    elif change == "password":
        admin("PATCH", "/users/" + user["id"], {"user": {"password": "new"}}, 200)
    else:
        admin("DELETE", "/users/" + user["id"], want=204)
    for _ in range(4):
        assert account_status(anonymous, member, token) == 401
    if change == "password":
        assert account_status(anonymous, member, token_of(anonymous, member, "new")) in (200, 204)
    else:
        assert post(anonymous, "/v3/auth/tokens", auth(
            user=user["name"], password="secret", project=project["name"])).status == 401


def test_own_password(anonymous, member):
    user = member[1]["id"]
    token = token_of(anonymous, member)
    for old, status in (("wrong", 401), ("secret", 204)):
        res = post(anonymous, "/v3/users/%s/password" % user, {"user": {
            "original_password": old, "password": "mine"}}, token=token)
        assert res.status == status
    assert token_of(anonymous, member, "mine")


def test_groups_give_roles(admin, anonymous, member):
    project, user, role = member
    admin("DELETE", "/projects/%s/users/%s/roles/%s" % (project["id"], user["id"], role), want=204)
    group = admin.make("group")
    admin("PUT", "/projects/%s/groups/%s/roles/%s" % (project["id"], group["id"], role), want=204)
    admin("PUT", "/groups/%s/users/%s" % (group["id"], user["id"]), want=204)
    assert account_status(anonymous, member, token_of(anonymous, member)) in (200, 204)
    admin("DELETE", "/groups/" + group["id"], want=204)
    assert post(anonymous, "/v3/auth/tokens", auth(
        user=user["name"], password="secret", project=project["name"])).status == 401


def test_application_credential(anonymous, member):
    user = member[1]["id"]
    token = token_of(anonymous, member)
    res = post(anonymous, "/v3/users/%s/application_credentials" % user,
               {"application_credential": {"name": "c"}}, token=token)
    assert res.status == 201
    made = res.json["application_credential"]
    body = {"auth": {"identity": {"methods": ["application_credential"],
                                  "application_credential": {"id": made["id"],
                                                             "secret": made["secret"]}}}}
    res = post(anonymous, "/v3/auth/tokens", body)
    assert res.status == 201
    by = res.headers["X-Subject-Token"]
    assert account_status(anonymous, member, by) in (200, 204)
    path = "/v3/users/%s/application_credentials" % user
    assert post(anonymous, path, {"application_credential": {"name": "d"}},
                token=by).status == 403
    assert "secret" not in anonymous.get(path, token=token).json["application_credentials"][0]
    assert anonymous.delete(path + "/" + made["id"], token=token).status == 204
    assert account_status(anonymous, member, by) == 401
    assert post(anonymous, "/v3/auth/tokens", body).status == 401


def test_members_may_not(admin, anonymous, member):
    token = token_of(anonymous, member)
    for method, path in (("GET", "/users"), ("POST", "/users"), ("GET", "/projects"),
                         ("DELETE", "/users/" + member[1]["id"]), ("GET", "/roles"),
                         ("PUT", "/projects/admin/users/%s/roles/%s" % (member[1]["id"],
                                                                        member[2])),
                         ("GET", "/role_assignments"), ("POST", "/endpoints")):
        assert anonymous.request(method, "/v3" + path, b"{}", token=token).status == 403, path
        assert anonymous.request(method, "/v3" + path, b"{}", token=None).status == 401, path
    assert anonymous.get("/v3/users/" + member[1]["id"], token=token).status == 200


def test_conflicts_and_nonsense(admin, member):
    name = member[0]["name"]
    assert admin("POST", "/projects", {"project": {"name": name}}, 409)["error"]["code"] == 409
    for doc in ({"project": {}}, {"project": {"name": ""}}, {"project": {"name": 1}}, {"x": 1},
                {"project": {"name": "x" * 65}}, {"project": []}):
        admin("POST", "/projects", doc, 400)
    admin("GET", "/projects/none", want=404)
    admin("POST", "/users", {"user": {"name": "u", "domain_id": "none"}}, 404)


def test_ids_of_regions(admin):
    for bad in ("a%2Fb", "x" * 256, "%00", "a%0Ab", "%FF", "%2E%2E%2Fx"):
        res = admin("PUT", "/regions/" + bad, {"region": {}})
        assert res["error"]["code"] == 400, bad
    for good in ("a%20b", "r%C3%A4gion", "%2E%2E"):
        assert admin("PUT", "/regions/" + good, {"region": {}}, 201)["region"]
        admin("DELETE", "/regions/" + good, want=204)
    service = admin("GET", "/services", want=200)["services"][0]["id"]
    admin("POST", "/endpoints", {"endpoint": {
        "service_id": service, "interface": "public", "url": "http://x", "region": "a/b"}}, 400)


def test_hidden_account(anonymous, admin):
    for token in (None, admin.token):
        for path in ("/v1/.identity", "/v1/.identity/records"):
            assert anonymous.get(path, token=token).status in (401, 403)


def test_guessing_is_slowed_down(anonymous, member):
    user = member[1]["id"]
    doc = {"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"id": user, "password": "wrong"}}}}}
    for _ in range(12):
        assert post(anonymous, "/v3/auth/tokens", doc).status in (401, 429)
    doc["auth"]["identity"]["password"]["user"]["password"] = "secret"
    assert post(anonymous, "/v3/auth/tokens", doc).status == 201


def test_records_survive_a_restart(make_cluster):
    cluster = make_cluster()
    with_client = cluster.client(None)
    admin = Admin(with_client)
    name = admin.make("project")["name"]
    with_client.close()
    cluster.stop()
    cluster.start()
    admin = Admin(cluster.client(None))
    assert admin("GET", "/projects?name=" + name, want=200)["projects"][0]["name"] == name


@needs_openstack
def test_openstack_admin(cluster):
    def osc(*args):
        return run(cluster, ["openstack", *args], OS_USERNAME="admin", OS_PASSWORD="admin",
                   OS_PROJECT_NAME="admin")

    name = "osc" + uuid.uuid4().hex[:8]
    osc("project", "create", name)
    osc("user", "create", "--password", "x", "--project", name, name)
    osc("role", "create", name)
    osc("role", "add", "--user", name, "--project", name, name)
    assert name in osc("role", "assignment", "list", "--user", name, "--names")
    osc("role", "remove", "--user", name, "--project", name, name)
    osc("user", "delete", name)
    osc("project", "delete", name)
    osc("role", "delete", name)
