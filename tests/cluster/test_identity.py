"""Identity on several hosts: changes reach the other proxy, keys are changed, another Keystone is
trusted, and the configuration's users are read again."""
import json
import os
import re
import socket
import threading
import time
import uuid

import pytest

from tests.api.test_identity_admin import Admin, token_of
from tests.api.test_keystone import login, post
from tests.harness.ports import PortBlock
from tests.harness.proxy import SecondProxy

TRUST = """
[authtoken]
auth_url = http://127.0.0.1:%d
username = admin
password = admin
project_name = admin
token_cache_time = 1s
http_connect_timeout = 1s
http_request_timeout = 5s
http_request_max_retries = 1
www_authenticate_uri = http://keystone.example.com:5000
"""
WITHIN_S = 5.0 * float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))


@pytest.fixture(scope="module")
def ports():
    block = PortBlock()
    yield block
    block.release()


@pytest.fixture(scope="module")
def second(cluster, ports):
    with SecondProxy(cluster, ports.first) as proxy:
        yield proxy


@pytest.fixture
def admin(cluster):
    client = cluster.client(None)
    yield Admin(client)
    client.close()


@pytest.fixture
def member(admin):
    project, user = admin.make("project"), admin.make("user", password="secret")
    role = admin("GET", "/roles?name=member", want=200)["roles"][0]["id"]
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (project["id"], user["id"], role), want=204)
    yield project, user, role
    admin("DELETE", "/users/" + user["id"])
    admin("DELETE", "/projects/" + project["id"])


def within(condition, seconds=WITHIN_S):
    """The seconds until condition() is true for the first time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "not within %.0f s" % seconds
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.parametrize("change", ["user", "project", "role", "password", "token"])
def test_changes_reach_the_other_host(cluster, second, admin, member, change):
    project, user, role = member
    here, there = cluster.client(None), second.client()
    account = "/v1/AUTH_" + project["id"]
    within(lambda: post(there, "/v3/auth/tokens", {"auth": {"identity": {
        "methods": ["password"], "password": {"user": {
            "id": user["id"], "password": "secret"}}},
        "scope": {"project": {"id": project["id"]}}}}).status == 201)
    token = token_of(there, member)
    assert here.get(account, token=token).status in (200, 204)
    assert there.get(account, token=token).status in (200, 204)
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
        assert here.delete("/v3/auth/tokens", token=token,
                           headers={"X-Subject-Token": token}).status == 204
    within(lambda: there.get(account, token=token).status == 401)
    here.close()
    there.close()


def keys(first, *more):
    """Replaces the token keys of a configuration."""
    return lambda text: re.sub(r"^token_keys = .*$", "token_keys = " + ", ".join((first,) + more),
                               text, flags=re.M)


def status_of(proxy, token):
    client = proxy.client()
    try:
        return client.get("/v1/AUTH_test", token=token).status
    finally:
        client.close()


def test_keys_are_changed_and_nobody_is_logged_out(cluster, ports):
    with SecondProxy(cluster, ports.first + 1, change=keys("old"), name="keys") as proxy:
        client = proxy.client("tester")
        v1, v3 = client.token, login(client)[0]
        assert status_of(proxy, v1) in (200, 204) and status_of(proxy, v3) in (200, 204)
        proxy.write(change=keys("new", "old"))
        proxy.reload()
        client.close()
        # The first key seals: a token of the new one is what a proxy with it alone accepts.
        with SecondProxy(cluster, ports.first + 2, change=keys("new"), name="new") as strict:
            assert status_of(strict, v3) == 401 and status_of(strict, v1) == 401
            within(lambda: status_of(strict, login(proxy.client())[0]) in (200, 204), 30)
        assert status_of(proxy, v1) in (200, 204) and status_of(proxy, v3) in (200, 204)
        proxy.write(change=keys("new"))
        proxy.reload()
        within(lambda: status_of(proxy, v3) == 401 and status_of(proxy, v1) == 401, 30)


def test_token_of_another_cluster(cluster, ports):
    with SecondProxy(cluster, ports.first + 3, change=keys("foreign"), name="foreign") as other:
        client = other.client("tester")
        for token in (client.token, login(client)[0]):
            here = cluster.client(None)
            assert here.get("/v1/AUTH_test", token=token).status == 401
            assert here.get("/v3/auth/projects", token=token).status == 401
            here.close()


def test_expired_tokens(cluster, ports, admin, member):
    """They are refused, except where a service goes on with what a user began."""
    role = admin("GET", "/roles?name=service", want=200)["roles"][0]["id"]
    service = admin.make("user", password="secret")
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (member[0]["id"], service["id"], role),
          want=204)
    with SecondProxy(cluster, ports.first + 10, more="[keystone]\ntoken_life = 3s\n",
                     name="short") as proxy:
        here, there = cluster.client(None), proxy.client()
        helper = token_of(here, (member[0], service, role))
        account = "/v1/AUTH_" + member[0]["id"]
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "id": member[1]["id"], "password": "secret"}}},
            "scope": {"project": {"id": member[0]["id"]}}}}
        within(lambda: post(there, "/v3/auth/tokens", body).status == 201, 30)
        within(lambda: here.get(account, token=helper).status == 403, 30)
        tokens = [post(there, "/v3/auth/tokens", body).headers["X-Subject-Token"]
                  for _ in range(2)]
        assert there.get(account, token=tokens[0]).status in (200, 204)
        for client in (here, there):
            within(lambda: client.get(account, token=tokens[0]).status == 401, 30)
            subject = {"X-Subject-Token": tokens[0]}
            assert client.get("/v3/auth/tokens", token=admin.token, headers=subject).status == 404
            late = "/v3/auth/tokens?allow_expired=1"
            assert client.get(late, token=admin.token, headers=subject).status == 200
            assert client.get(late, token=helper, headers=subject).status == 200
            assert client.get("/v3/auth/tokens", token=tokens[0], headers=subject).status == 401
            beside = {"X-Service-Token": helper}
            assert client.get(account, token=tokens[0], headers=beside).status in (200, 204)
            assert client.get(account, token=tokens[0], headers={
                "X-Service-Token": tokens[0]}).status == 401
        res = post(here, "/v3/auth/tokens", {"auth": {"identity": {
            "methods": ["token"], "token": {"id": tokens[0]}}}})
        assert res.status == 401
        admin("PATCH", "/users/" + member[1]["id"], {"user": {"enabled": False}}, 200)
        assert here.get(account, token=tokens[1], headers={"X-Service-Token": helper}).status == \
            401
        here.close()
        there.close()
    admin("DELETE", "/users/" + service["id"])


def test_users_have_limits(cluster, ports, admin, member):
    with SecondProxy(cluster, ports.first + 11, more="[keystone]\nlimit_per_user = 3\n",
                     name="limited") as proxy:
        client = proxy.client()
        within(lambda: client.get("/v3/projects/" + member[0]["id"], token=admin.token).status
               == 200, 30)
        token, last = token_of(client, member), token_of(client, member)
        user = "/v3/users/" + member[1]["id"]
        trust = {"trust": {"trustor_user_id": member[1]["id"], "trustee_user_id": member[1]["id"],
                           "project_id": member[0]["id"], "impersonation": True,
                           "roles": [{"id": member[2]}]}}
        for path, make in (
                ("/v3/OS-TRUST/trusts", lambda: trust),
                (user + "/credentials/OS-EC2", lambda: {"tenant_id": member[0]["id"]}),
                (user + "/application_credentials", lambda: {
                    "application_credential": {"name": uuid.uuid4().hex}})):
            client.close()
            found = []
            for _ in range(4):
                found.append(post(client, path, make(), token=token).status)
                client.close()
            assert found == [201, 201, 201, 403], path
        assert post(client, "/v3/credentials", {"credential": {"type": "x", "blob": "y"}},
                    token=token).status == 403
        for n in range(4):
            assert client.get("/v3/auth/projects", token=last).status == 200
            client.close()
            more = token_of(client, member) if n < 3 else token
            assert client.delete("/v3/auth/tokens", token=token,
                                 headers={"X-Subject-Token": more}).status == 204
        client.close()
        assert client.get("/v3/auth/projects", token=last).status == 401
        client.close()


def v1_status(proxy, user, key):
    client = proxy.client()
    try:
        return client.get("/auth/v1.0", token=None, headers={
            "X-Auth-User": user, "X-Auth-Key": key}).status
    finally:
        client.close()


def test_reload_reads_users_again(cluster, ports):
    name = "reload" + uuid.uuid4().hex[:6]
    line = "user_%s_u = one .admin\n" % name

    def with_user(text, value=line):
        return text.replace("[tempauth]\n", "[tempauth]\n" + value)

    with SecondProxy(cluster, ports.first + 4, change=with_user, name="reload") as proxy:
        assert v1_status(proxy, name + ":u", "one") == 200
        client = proxy.client()
        client.login(name + ":u", "one")
        token = client.token
        proxy.write(change=lambda text: with_user(text, line.replace("one", "two")))
        proxy.reload()
        within(lambda: v1_status(proxy, name + ":u", "two") == 200, 30)
        within(lambda: v1_status(proxy, name + ":u", "one") == 401, 30)
        assert client.get("", token=token).status in (200, 204)
        # A bad line keeps what there was.
        proxy.write(change=lambda text: with_user(text, "user_broken = \n"))
        proxy.reload()
        proxy.write(change=lambda text: text)
        assert v1_status(proxy, name + ":u", "two") == 200
        # Whose Keystone it trusts is settled when it starts.
        proxy.write(change=lambda text: text, more=TRUST % cluster.port)
        proxy.reload()
        within(lambda: v1_status(proxy, name + ":u", "two") == 401, 30)
        assert proxy.client().get("/v3").status == 200
        proxy.write(change=lambda text: text, more="")
        proxy.reload()
        client.close()
        within(lambda: client.get("", token=token).status == 401, 30)
        client.close()


# ---- a Keystone that is another one ----

@pytest.fixture(scope="module")
def trusting(cluster, ports):
    """A proxy that asks the cluster's own."""
    with SecondProxy(cluster, ports.first + 5, more=TRUST % cluster.port, name="trusting",
                     change=keys("itsown")) as proxy:
        yield proxy


def test_another_keystone_is_trusted(cluster, trusting, member):
    here, there = cluster.client(None), trusting.client()
    token = token_of(here, member)
    account = "/v1/AUTH_" + member[0]["id"]
    for _ in range(4):
        assert there.put(account + "/c", token=token).status in (201, 202)
        there.close()
    assert there.get("/v1/AUTH_test", token=token).status == 403
    # What it gives itself is v1 authentication only.
    assert there.get("/v3").status != 200
    v1 = trusting.client("tester")
    assert v1.get("").status in (200, 204)
    v1.close()
    for bad in ("nonsense", token[:-1], token + "A", "nt3.x"):
        res = there.get(account, token=bad)
        assert res.status == 401
        assert res.headers["WWW-Authenticate"] == \
            'Keystone uri="http://keystone.example.com:5000"'
    assert there.get(account, token=None).status == 401
    assert here.delete("/v3/auth/tokens", token=token,
                       headers={"X-Subject-Token": token}).status == 204
    within(lambda: there.get(account, token=token).status == 401)
    here.close()
    there.close()


def test_rules_hold_with_another_keystone(cluster, trusting, admin):
    """Container ACLs by names and ids, and the reseller admin."""
    owner, here, there = cluster.client("tester"), cluster.client(None), trusting.client()
    name = "trust-" + uuid.uuid4().hex[:8]
    token, doc = login(here, user="tester2", password="testing2", project="test2")
    path = "/v1/AUTH_test/" + name
    assert owner.put(name).status == 201
    for acl, status in (("test2:tester2", (200, 204)), ("test2:" + doc["user"]["id"], (200, 204)),
                        ("*:*", (200, 204)), ("test2:nobody", (403,)), ("", (403,))):
        assert owner.post(name, headers={"X-Container-Read": acl}).status == 204
        within(lambda: there.get(path, token=token).status in status, 90)
    assert there.get(path, token=admin.token).status in (200, 204)
    owner.delete(name)
    for c in (owner, here, there):
        c.close()


class Relay:
    """Passes connections to a port and counts them; can stop listening."""

    def __init__(self, port, to):
        self.port, self.to, self.count = port, to, 0
        self._listener = None

    def start(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, listener):
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        """One request and its answer, then the end."""
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            request = client.recv(65536)
            if request:
                self.count += 1
                server.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            while request:
                part = server.recv(65536)
                if not part:
                    return
                client.sendall(part)


def test_keystone_is_asked_once_and_may_be_away(cluster, ports, admin, member):
    relay = Relay(ports.first + 6, cluster.port)
    relay.start()
    more = (TRUST % relay.port).replace("token_cache_time = 1s", "token_cache_time = 20s")
    one = re.compile(r"^workers = 2$", re.M)
    with SecondProxy(cluster, ports.first + 7, more=more, name="away",
                     change=lambda text: one.sub("workers = 1", text)) as proxy:
        here = cluster.client(None)
        token, other = token_of(here, member), token_of(here, member)
        account = "/v1/AUTH_" + member[0]["id"]
        clients = [proxy.client() for _ in range(8)]
        found = []

        def get(client):
            found.append(client.get(account, token=token).status)

        threads = [threading.Thread(target=get, args=(c,)) for c in clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(found) == 8 and set(found) <= {200, 204}
        assert relay.count == 2     # its own login, and one question
        relay.stop()
        assert clients[0].get(account, token=token).status in (200, 204)    # remembered
        res = clients[0].get(account, token=other)
        assert res.status == 503, res
        v1 = proxy.client("tester")
        assert v1.get("").status in (200, 204)
        relay.start()
        within(lambda: clients[0].get(account, token=other).status in (200, 204), 30)
        for c in clients + [here, v1]:
            c.close()
        relay.stop()


def test_service_tokens_with_another_keystone(cluster, ports, admin, member):
    """An account of a second prefix, opened by a user and a service together."""
    change = "\n[keystone]\nreseller_prefix = AUTH, SERVICE\nservice_roles_SERVICE = service\n"
    more = change + TRUST % cluster.port
    service = admin.make("user", password="secret")
    role = admin("GET", "/roles?name=service", want=200)["roles"][0]["id"]
    admin("PUT", "/projects/%s/users/%s/roles/%s" % (member[0]["id"], service["id"], role),
          want=204)
    with SecondProxy(cluster, ports.first + 8, more=more, name="service") as proxy:
        here, there = cluster.client(None), proxy.client()
        token = token_of(here, member)
        helper = token_of(here, (member[0], service, role))
        path = "/v1/SERVICE_%s/c" % member[0]["id"]
        assert there.put(path, token=token).status == 403
        headers = {"X-Service-Token": helper}
        assert there.put(path, token=token, headers=headers).status in (201, 202)
        assert there.put(path, token=token, headers={"X-Service-Token": "bad"}).status == 401
        here.close()
        there.close()
    admin("DELETE", "/users/" + service["id"])


def test_wrong_settings_are_told(cluster, ports):
    for more, change, word in (("[authtoken]\nauth_url = ftp://x\n", None, "neither http"),
                               ("[authtoken]\nauth_url = http://x\n", None, "username"),
                               ("", keys("a", "b", "c"), "more than 2")):
        proxy = SecondProxy(cluster, ports.first + 9, more=more, name="wrong", change=change)
        with pytest.raises(AssertionError) as why:
            proxy.start()
        assert word in str(why.value)


def test_blobs_are_sealed_in_the_store(cluster, admin):
    """Neither passwords nor secrets of credentials stand in the store as they are."""
    word = "blob-" + uuid.uuid4().hex
    made = admin("POST", "/credentials", {"credential": {"type": "cert", "blob": word}}, 201)
    user = admin.make("user", password=word)
    for folder, _, names in os.walk(os.path.join(cluster.home, "devices")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                assert word.encode() not in f.read(), name
    got = admin("GET", "/credentials/" + made["credential"]["id"], want=200)
    assert got["credential"]["blob"] == word
    assert json.dumps(user).find(word) < 0
    admin("DELETE", "/credentials/" + made["credential"]["id"], want=204)
    admin("DELETE", "/users/" + user["id"], want=204)
