"""v1 authentication, and the matrix of who may do what."""
import json
import threading
import time
import uuid

import pytest

from tests.api.test_keystone import login as keystone_login
from tests.harness import swift


def login(c, user, key, path="/auth/v1.0", **headers):
    headers = dict({"X-Auth-User": user, "X-Auth-Key": key}, **headers)
    return c.get(path, headers=headers, token=None)


def test_token(cluster, anonymous):
    res = login(anonymous, "test:tester", "testing")
    assert res.status == 200
    token = res.headers["X-Auth-Token"]
    assert token.startswith("AUTH_tk") and res.headers["X-Storage-Token"] == token
    assert res.headers["X-Storage-Url"] == cluster.endpoint + "/v1/AUTH_test"
    assert 0 < int(res.headers["X-Auth-Token-Expires"]) <= 86400
    assert login(anonymous, "test:tester", "testing").headers["X-Auth-Token"] == token
    assert anonymous.head("/v1/AUTH_test", token=token).status in (200, 204)


@pytest.mark.parametrize("path,headers,status", [
    ("/auth/v1.0", {"X-Storage-User": "test:tester", "X-Storage-Pass": "testing"}, 200),
    ("/auth/auth", {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}, 200),
    ("/auth/v1/test/auth", {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}, 200),
    ("/auth/v1/test/auth", {"X-Storage-User": "tester", "X-Storage-Pass": "testing"}, 200),
    ("/auth/v1/other/auth", {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}, 401),
    ("/auth/v1.0", {"X-Auth-User": "test:tester", "X-Auth-Key": "wrong"}, 401),
    ("/auth/v1.0", {"X-Auth-User": "test:nobody", "X-Auth-Key": "testing"}, 401),
    ("/auth/v1.0", {"X-Auth-User": "tester", "X-Auth-Key": "testing"}, 401),
    ("/auth/v1.0", {"X-Auth-User": "test:tester"}, 401),
    ("/auth/v1.0", {}, 401),
    ("/auth/v9", {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}, 400),
])
def test_forms(anonymous, path, headers, status):
    assert anonymous.get(path, headers=headers).status == status


def test_other_methods(anonymous):
    for method in ("PUT", "POST", "DELETE", "HEAD"):
        assert anonymous.request(method, "/auth/v1.0").status == 405


def test_bad_tokens(anonymous, client):
    token = client.token
    for bad in ("AUTH_tkforged", token[:-1], token + "A", "AUTH_tk" + token[8:],
                token[:20] + ("A" if token[20] != "A" else "B") + token[21:]):
        res = anonymous.get("/v1/AUTH_test", token=bad)
        assert res.status == 401, bad
        assert res.headers["Www-Authenticate"] == 'Swift realm="AUTH_test"'
    # The alias counts only in the absence of the first name.
    assert anonymous.get("/v1/AUTH_test", headers={"X-Storage-Token": token}).status in (200, 204)
    assert anonymous.get("/v1/AUTH_test", headers={
        "X-Auth-Token": "", "X-Storage-Token": token}).status == 401


def v1(cluster, user, key):
    """On a new connection: any worker may answer."""
    c = cluster.client(None)
    res = login(c, user, key)
    c.close()
    return res


def test_guessing_is_slowed_down(cluster):
    """Who guesses waits, or is told to come again later. Others do not wait, and the user whose
    password is guessed at is not locked out."""
    name, found = "test:guessed" + uuid.uuid4().hex[:8], []

    def guess():
        for _ in range(4):
            found.append(v1(cluster, name, "wrong"))

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for t in threads:
        t.start()
    assert v1(cluster, "test:tester", "testing").status == 200
    for t in threads:
        t.join()
    assert {res.status for res in found} == {401, 429}
    assert all(res.headers["Retry-After"] for res in found if res.status == 429)
    for _ in range(12):
        assert v1(cluster, "test:tester3", "wrong").status == 401
    assert v1(cluster, "test:tester3", "testing3").status == 200


def test_time_does_not_tell_who_exists(cluster):
    """A wrong password takes as long for a user of the configuration, one whose password was
    changed, and one who does not exist."""
    admin = cluster.client(None)
    token = keystone_login(admin, user="admin", password="admin", project="admin")[0]
    made = admin.post("/v3/users", json.dumps({"user": {
        "name": "stored" + uuid.uuid4().hex[:8], "password": "secret"}}), token=token).json["user"]
    docs = {"v1": lambda: v1(cluster, "test5:tester5", "wrong"),
            "v1 nobody": lambda: v1(cluster, "test5:nobody", "wrong")}
    for kind, user in (("configured", {"name": "tester5", "domain": {"id": "default"}}),
                       ("stored", {"id": made["id"]}), ("none", {"id": "none"})):
        body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {
            "user": dict(user, password="wrong")}}}})
        docs[kind] = lambda body=body: admin.post("/v3/auth/tokens", body, token=None)
    best = {}
    for _ in range(5):
        for kind, ask in docs.items():
            began = time.monotonic()
            assert ask().status == 401
            best[kind] = min(best.get(kind, 1e9), time.monotonic() - began)
    # Without hashing it takes a thirtieth.
    assert max(best.values()) < 6 * min(best.values()), best
    assert admin.delete("/v3/users/" + made["id"], token=token).status == 204
    admin.close()


def test_records_hold_for_v1(make_cluster):
    """A password that was changed, and a user who was disabled, are so for v1 too."""
    cluster = make_cluster()
    anonymous = cluster.client(None)
    admin = keystone_login(anonymous, user="admin", password="admin", project="admin")[0]
    users = anonymous.get("/v3/users?name=tester3", token=admin).json["users"]
    path = "/v3/users/" + users[0]["id"]
    account = "/v1/AUTH_test"
    old = v1(cluster, "test:tester3", "testing3").headers["X-Auth-Token"]
    assert anonymous.get(account, token=old).status == 403

    def patch(**change):
        res = anonymous.request("PATCH", path, json.dumps({"user": change}), token=admin)
        assert res.status == 200, res

    def status(token):
        c = cluster.client(None)
        try:
            return c.get(account, token=token).status
        finally:
            c.close()

    patch(password="other")
    assert v1(cluster, "test:tester3", "testing3").status == 401
    new = v1(cluster, "test:tester3", "other").headers["X-Auth-Token"]
    assert status(old) == 401 and status(new) == 403
    patch(enabled=False)
    assert v1(cluster, "test:tester3", "other").status == 401
    assert status(new) == 401
    patch(enabled=True, password="testing3")
    again = v1(cluster, "test:tester3", "testing3").headers["X-Auth-Token"]
    assert status(again) == 403 and status(old) == 401
    anonymous.close()


@pytest.fixture(scope="module")
def shared(cluster):
    """Containers with each kind of ACL, each with one object "o"."""
    c = cluster.client("tester")
    base = "acl-" + uuid.uuid4().hex[:6]
    acls = {
        "private": {},
        "read": {"X-Container-Read": "test:tester3"},
        "write": {"X-Container-Write": "test:tester3"},
        "public": {"X-Container-Read": ".r:*"},
        "listed": {"X-Container-Read": ".r:*,.rlistings"},
        "referrer": {"X-Container-Read": ".r:.example.com"},
        "foreign": {"X-Container-Read": "test2:tester2", "X-Container-Write": "test2"},
    }
    for name, headers in acls.items():
        assert c.put(base + name, headers=headers).status == 201
        assert c.put(base + name + "/o", body=b"x").status == 201
    yield base
    for name in acls:
        c.empty(base + name)
    c.close()


# caller -> what it gets of GET object, GET listing, PUT object, POST container
MATRIX = {
    "private": {None: (401, 401, 401, 401), "tester3": (403, 403, 403, 403),
                "other": (403, 403, 403, 403), "tester2": (200, 200, 201, 204),
                "admin": (200, 200, 201, 204)},
    "read": {None: (401, 401, 401, 401), "tester3": (200, 200, 403, 403),
             "other": (403, 403, 403, 403)},
    "write": {None: (401, 401, 401, 401), "tester3": (403, 403, 201, 403),
              "other": (403, 403, 403, 403)},
    "public": {None: (200, 401, 401, 401), "tester3": (200, 403, 403, 403),
               "other": (200, 403, 403, 403)},
    "listed": {None: (200, 200, 401, 401), "other": (200, 200, 403, 403)},
    "referrer": {None: (401, 401, 401, 401)},
    "foreign": {None: (401, 401, 401, 401), "other": (200, 200, 201, 403),
                "tester3": (403, 403, 403, 403)},
}


@pytest.mark.parametrize("kind,caller", [(k, c) for k in MATRIX for c in MATRIX[k]])
def test_matrix(cluster, shared, kind, caller):
    c = cluster.client(caller)
    path = "/v1/AUTH_test/%s%s" % (shared, kind)
    got = (c.get(path + "/o").status, c.get(path).status, c.put(path + "/o", body=b"x").status,
           c.post(path, headers={"X-Container-Meta-A": "b"}).status)
    c.close()
    assert got == MATRIX[kind][caller]


def test_referrer(cluster, shared, anonymous):
    path = "/v1/AUTH_test/%sreferrer" % shared
    for referer, status in (("http://www.example.com/page", 200), ("http://example.com/", 401),
                            ("http://example.com.evil.org/", 401), ("nonsense", 401)):
        assert anonymous.get(path + "/o", headers={"Referer": referer}).status == status, referer


def test_acl_errors(client, container):
    for header, value in (("X-Container-Read", ".r:"), ("X-Container-Read", ".x:a"),
                          ("X-Container-Write", ".r:*"), ("X-Container-Read", ".r:-")):
        assert client.post(container, headers={header: value}).status == 400, (header, value)
    assert client.post(container, headers={"X-Container-Read": " bob , sue ,,"}).status == 204
    assert client.head(container).headers["X-Container-Read"] == "bob,sue"
    assert client.post(container, headers={"X-Remove-Container-Read": "x"}).status == 204
    assert "X-Container-Read" not in client.head(container).headers


def test_only_owners_see_and_set(cluster, client, container):
    assert client.post(container, headers={
        "X-Container-Read": "test:tester3", "X-Container-Write": "test:tester3",
        "X-Container-Meta-Temp-URL-Key": "k", "X-Container-Meta-Plain": "p"}).status == 204
    reader = cluster.client("tester3")
    res = reader.head("/v1/AUTH_test/" + container)
    assert res.status == 204
    assert res.headers["X-Container-Meta-Plain"] == "p"
    for name in ("X-Container-Read", "X-Container-Write", "X-Container-Meta-Temp-Url-Key"):
        assert name not in res.headers
        assert name in client.head(container).headers
    reader.close()


def test_account_acl(cluster, client):
    other = cluster.client("other")
    account = "/v1/AUTH_test"
    assert other.get(account).status == 403
    assert client.post("", headers={
        "X-Account-Access-Control": '{"read-only": ["test2:tester2"]}'}).status == 204
    try:
        assert client.head("").headers["X-Account-Access-Control"] == \
            '{"read-only":["test2:tester2"]}'
        assert other.get(account).status in (200, 204)
        assert "X-Account-Access-Control" not in other.head(account).headers
        assert other.put(account + "/acl-test-c").status == 403
        assert client.post("", headers={
            "X-Account-Access-Control": '{"read-write": ["test2:tester2"]}'}).status == 204
        assert other.put(account + "/acl-test-c").status == 201
        assert other.post(account, headers={"X-Account-Meta-A": "b"}).status == 403
        assert other.delete(account + "/acl-test-c").status == 204
        assert client.post("", headers={
            "X-Account-Access-Control": '{"admin": ["test2:tester2"]}'}).status == 204
        assert other.post(account, headers={"X-Account-Meta-A": "b"}).status == 204
        assert other.delete(account).status == 403
        for bad in ("[]", "{", '{"a": []}', '{"admin": "x"}', '{"admin": [1]}'):
            assert client.post("", headers={"X-Account-Access-Control": bad}).status == 400, bad
    finally:
        assert client.post("", headers={"X-Account-Access-Control": ""}).status == 204
    assert other.get(account).status == 403
    other.close()


def test_service_account(cluster, client):
    """Accounts of the second reseller prefix need the service group, own or by X-Service-Token."""
    service = cluster.client("service")
    assert service.put("/v1/SERVICE_test5/c").status == 403     # no owner
    path = "/v1/SERVICE_test/c"
    assert client.put(path).status == 403
    headers = {"X-Service-Token": service.token}
    assert client.put(path, headers=headers).status == 201
    assert client.delete(path, headers=headers).status == 204
    service.close()


def test_foreign_prefix(client):
    assert client.get("/v1/OTHER_test").status == 403


def test_internal_headers_do_not_enter(client, container):
    """What the gatekeeper must stop: updates sent elsewhere, system metadata, chosen timestamps."""
    res = client.put(container + "/o", body=b"x", headers={
        "X-Container-Host": "127.0.0.1:1", "X-Container-Device": "d", "X-Container-Partition": "1",
        "X-Backend-Storage-Policy-Index": "1", "X-Object-Sysmeta-Slo-Etag": "x",
        "X-Object-Transient-Sysmeta-A": "b", "X-Timestamp": "0000000001.00000",
        "X-Delete-At-Host": "127.0.0.1:1", "X-Backend-Replication": "true"})
    assert res.status == 201
    res = client.get(container + "/o")
    assert res.status == 200 and res.body == b"x"
    for name, _ in res.headers:
        assert "sysmeta" not in name.lower() and not name.lower().startswith("x-backend"), name
    assert float(res.headers["X-Timestamp"]) > 1e9
    assert client.list(container) == ["o"]


def test_nothing_tells_names(anonymous, cluster):
    """One who may not read cannot tell what exists."""
    c = cluster.client("other")
    assert c.get("/v1/AUTH_test/nothere/x").status == 403
    assert anonymous.get("/v1/AUTH_test/nothere/x").status == 401
    assert anonymous.get("/v1/AUTH_never").status == 401
    c.close()


def test_users_are_known():
    assert set(swift.USERS) >= {"tester", "tester2", "tester3", "other", "service", "admin"}
