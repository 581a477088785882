"""Who may do what: every kind of caller with every verb on accounts, containers and objects under
every kind of ACL, v1 and Keystone; and which headers only an owner sees and sets.

What is expected is said in rights, as Swift documents them, and a right in statuses:
  a  GET and HEAD of the account            p  POST to it
  P  PUT of the account                     D  DELETE of it
  l  GET and HEAD of a container            c  PUT, POST and DELETE of it
  o  GET and HEAD of its objects            w  PUT, POST and DELETE of them; COPY with o
Whoever lacks a right gets 401 when he is nobody and 403 when he is somebody, whatever there is."""
import json

import pytest

from tests.harness.cluster import SAIO_CONF, Cluster

CONF = """
user_mx_owner = pw .admin
user_mx_reader = pw
user_mx_writer = pw
user_mx_plain = pw
user_mx_viewer = pw viewer
user_other_boss = pw .admin
user_root_root = pw .admin .reseller_admin
user_root_watch = pw .reseller_reader
user_root_audit = pw auditor
user_svc_svc = pw service
user_acl_owner = pw .admin

[keystone]
reseller_prefix = AUTH, SERVICE
service_roles_SERVICE = service
system_reader_roles = auditor
project_reader_roles = viewer

[domain_remap]"""

GOOD, BAD = "http://www.good.example/page", "http://bad.good.example/page"

# Containers of AUTH_mx: read and write ACL.
CONTAINERS = {
    "private": ("", ""),
    "shared": ("mx:reader", "mx:writer"),
    "both": ("mx:writer", "mx:writer"),
    "group": ("mx", ""),
    "partner": ("other:boss", "other"),
    "public": (".r:*", ""),
    "listed": (".r:*,.rlistings", ""),
    "lists": (".rlistings", ""),
    "referrer": (".r:.good.example,.r:-bad.good.example", ""),
    "refused": (".r:.good.example,.rlistings,.r:-.good.example", ""),
    "lastwins": (".r:-bad.good.example,.r:*", ""),
    "sites": (".r:www.good.example,.rlistings", ""),
    "anybody": ("*:*", "*:*"),
    "role": ("viewer", "auditor"),
}
OPEN = {"public": "o", "listed": "ol", "lastwins": "o"}
OWNER = dict.fromkeys(CONTAINERS, "lcow")
READER = dict.fromkeys(CONTAINERS, "lo")
ANY_TOKEN = dict(OPEN, anybody="low")

# caller -> rights on the account, on its containers
EXPECTED = {
    "nobody": ("", OPEN),
    "nobody from good": ("", dict(OPEN, referrer="o", sites="lo")),
    "nobody from bad": ("", OPEN),
    # v1
    "v1 plain": ("", dict(OPEN, group="lo")),
    "v1 reader": ("", dict(OPEN, group="lo", shared="lo")),
    "v1 writer": ("", dict(OPEN, group="lo", shared="w", both="low")),
    "v1 other": ("", dict(OPEN, partner="low")),
    "v1 other from good": ("", dict(OPEN, partner="low", referrer="o", sites="lo")),
    "v1 viewer": ("", dict(OPEN, group="lo", role="lo")),
    "v1 service": ("", OPEN),
    "v1 owner": ("ap", OWNER),
    "v1 reseller": ("apPD", OWNER),
    "v1 reseller reader": ("a", READER),
    # Keystone
    "v3 plain": ("", ANY_TOKEN),
    "v3 reader": ("", dict(ANY_TOKEN, shared="lo")),
    "v3 writer": ("", dict(ANY_TOKEN, shared="w", both="low")),
    "v3 other": ("", dict(ANY_TOKEN, partner="lo")),
    "v3 other from good": ("", dict(ANY_TOKEN, partner="lo", referrer="o", sites="lo")),
    "v3 viewer": ("a", dict(READER, anybody="low")),
    "v3 auditor": ("a", dict(READER, anybody="low")),
    "v3 owner": ("apP", OWNER),
    "v3 reseller": ("apPD", OWNER),
}
USERS = {
    "plain": "mx:plain", "reader": "mx:reader", "writer": "mx:writer", "viewer": "mx:viewer",
    "other": "other:boss", "service": "svc:svc", "owner": "mx:owner", "reseller": "root:root",
    "reseller reader": "root:watch", "auditor": "root:audit", "acl owner": "acl:owner",
}

# (verb, name, query) -> the right that it takes, and the status of who has it
OBJECT = {
    ("GET", "o"): ("o", 200), ("HEAD", "o"): ("o", 200), ("GET", "none"): ("o", 404),
    ("HEAD", "none"): ("o", 404), ("PUT", "o"): ("w", 201), ("POST", "o"): ("w", 202),
    ("POST", "none"): ("w", 404), ("DELETE", "none"): ("w", 404), ("COPY", "o"): ("ow", 201),
    ("COPY", "none"): ("o", 404), ("OPTIONS", "o"): ("", 200),
}
CONTAINER = {
    "GET": ("l", 200), "HEAD": ("l", 204), "PUT": ("c", 202), "POST": ("c", 204),
    "DELETE": ("c", 409), "OPTIONS": ("", 200), "COPY": ("", 405), "PATCH": ("", 405),
}
# With a query, a DELETE of an account is refused with 400 by those who have the right.
ACCOUNT = {
    "GET": ("a", 200), "HEAD": ("a", 204), "POST": ("p", 204), "PUT": ("P", 202),
    "DELETE": ("D", 400), "OPTIONS": ("", 200), "COPY": ("", 405), "PATCH": ("", 405),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(cluster, login): login(caller) gives a client with that caller's token and headers."""
    path = tmp_path_factory.mktemp("matrix") / "matrix.conf"
    with open(SAIO_CONF) as f:
        text = f.read()
    assert text.count("\n\n[domain_remap]") == 1
    path.write_text(text.replace("\n\n[domain_remap]", CONF))
    with Cluster(conf=str(path)) as cluster:
        clients, tokens = {}, {}

        def login(caller):
            kind, _, rest = caller.partition(" ")
            who, _, referer = rest.partition(" from ") if kind != "nobody" else ("", "", rest[5:])
            if (kind, who) not in tokens:
                tokens[kind, who] = token_of(cluster, kind, who)
            if caller not in clients:
                c = cluster.client(None)
                c.token = tokens[kind, who]
                c.more = {"Referer": {"good": GOOD, "bad": BAD}[referer]} if referer else {}
                clients[caller] = c
            return clients[caller]

        root = login("v1 reseller")
        for account in "AUTH_mx", "AUTH_acl", "SERVICE_mx":
            assert root.put("/v1/" + account).status == 201
        for name, acls in CONTAINERS.items():
            make(root, name, *acls)
        yield cluster, login
        for c in clients.values():
            c.close()
        assert not cluster.bugs()


def token_of(cluster, kind, who):
    if kind == "nobody":
        return None
    project, _, name = USERS[who].partition(":")
    c = cluster.client(None)
    if kind == "v1":
        c.login(USERS[who], "pw")
        token = c.token
    else:
        res = c.post("/v3/auth/tokens", json.dumps({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": name, "password": "pw", "domain": {"name": "Default"}}}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}))
        assert res.status == 201, res
        token = res.headers["X-Subject-Token"]
    c.close()
    return token


def make(client, container, read="", write="", account="/v1/AUTH_mx"):
    path = "%s/%s" % (account, container)
    assert client.put(path, headers={
        "X-Container-Read": read, "X-Container-Write": write}).status in (201, 202)
    assert client.put(path + "/o", b"x").status == 201
    return path


def status(rights, needed, allowed, caller):
    if all(r in rights for r in needed):
        return allowed
    return 401 if caller.startswith("nobody") else 403


def try_object(c, path, verb, name):
    headers = dict(c.more)
    if verb == "COPY":
        headers["Destination"] = path.rpartition("/")[2] + "/copy"
    res = c.request(verb, "%s/%s" % (path, name), headers=headers,
                    body=b"new" if verb == "PUT" else None)
    return res


def check(wrong, what, res, expected):
    """Notes what is not as it should be; all of it is shown together."""
    if res.status != expected:
        wrong.append("%s: %d, not %d" % (what, res.status, expected))
    elif expected == 401 and not res.headers.get("Www-Authenticate", "").startswith("Swift realm="):
        wrong.append("%s: 401 without a realm" % what)


@pytest.mark.parametrize("caller", EXPECTED)
def test_account(place, caller):
    c, wrong = place[1](caller), []
    for verb, (needed, allowed) in ACCOUNT.items():
        query = "?format=json" if verb == "GET" else "?x=y" if verb == "DELETE" else ""
        check(wrong, verb, c.request(verb, "/v1/AUTH_mx" + query, headers=c.more),
              status(EXPECTED[caller][0], needed, allowed, caller))
    # Where there is no account it is the same for those who may not know; and what no prefix
    # covers is nobody's.
    for account in "AUTH_never", "NONE_mx", "AUTH", "mx", ".identity", ".expiring_objects":
        rights = EXPECTED[caller][0] if "reseller" in caller or "auditor" in caller else ""
        for path in "", "/c", "/c/o":
            if "a" in rights and account == "AUTH_never":
                assert c.get("/v1/%s%s" % (account, path)).status in (200, 204, 404)
                continue
            check(wrong, "GET %s%s" % (account, path), c.get("/v1/%s%s" % (account, path)),
                  403 if account == ".identity" else status("", "x", 0, caller))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("caller", EXPECTED)
def test_containers_and_objects(place, caller):
    c, wrong = place[1](caller), []
    for kind in CONTAINERS:
        path, rights = "/v1/AUTH_mx/" + kind, EXPECTED[caller][1].get(kind, "")
        for (verb, name), (needed, allowed) in OBJECT.items():
            check(wrong, "%s %s/%s" % (verb, kind, name), try_object(c, path, verb, name),
                  status(rights, needed, allowed, caller))
        for verb, (needed, allowed) in CONTAINER.items():
            query = "?format=json" if verb == "GET" else ""
            check(wrong, "%s %s" % (verb, kind),
                  c.request(verb, path + query, headers=c.more),
                  status(rights, needed, allowed, caller))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("caller", EXPECTED)
def test_what_is_not_there(place, caller):
    """A container that does not exist answers 404 to those who could see it, and like one that does
    to all others. Only owners make and delete containers."""
    c, wrong = place[1](caller), []
    is_owner, reads = "p" in EXPECTED[caller][0], "a" in EXPECTED[caller][0]
    denied = status("", "x", 0, caller)
    path = "/v1/AUTH_mx/missing"
    for verb in "GET", "HEAD":
        for at in path, path + "/o":
            check(wrong, verb + " " + at, c.request(verb, at, headers=c.more),
                  404 if reads else denied)
    for verb in "PUT", "POST", "DELETE":
        check(wrong, verb + " object", c.request(verb, path + "/o", headers=c.more),
              404 if is_owner else denied)
    for verb, allowed in ("POST", 404), ("DELETE", 404), ("PUT", 201), ("DELETE", 204):
        check(wrong, verb + " container", c.request(verb, path, headers=c.more),
              allowed if is_owner else denied)
    assert not wrong, "\n".join(wrong)


# Account ACLs; the caller's rights on AUTH_acl and on a container without an ACL of its own.
ACCOUNT_ACL = {"admin": ["mx:plain"], "read-write": ["mx:writer"], "read-only": ["mx:reader"]}
BY_ACCOUNT_ACL = {
    "nobody": ("", ""), "v1 other": ("", ""), "v1 plain": ("ap", "lcow"),
    "v1 writer": ("a", "lcow"), "v1 reader": ("a", "lo"), "v1 acl owner": ("ap", "lcow"),
    "v1 reseller": ("apPD", "lcow"), "v1 reseller reader": ("a", "lo"),
    "v3 plain": ("", ""), "v3 writer": ("", ""), "v3 reader": ("", ""), "v3 auditor": ("a", "lo"),
    "v3 acl owner": ("apP", "lcow"), "v3 reseller": ("apPD", "lcow"),
}
SECRETS = {"X-Container-Read": "mx:nobody", "X-Container-Write": "mx:nobody",
           "X-Container-Sync-Key": "sync", "X-Container-Sync-To": "http://127.0.0.1/v1/AUTH_a/c",
           "X-Container-Meta-Temp-Url-Key": "one", "X-Container-Meta-Temp-Url-Key-2": "two"}
ACCOUNT_SECRETS = {"X-Account-Meta-Temp-Url-Key": "one", "X-Account-Meta-Temp-Url-Key-2": "two",
                   "X-Account-Access-Control": json.dumps(ACCOUNT_ACL, sort_keys=True,
                                                          separators=(",", ":"))}


@pytest.fixture(scope="module")
def granted(place):
    """The path of a container in an account with an ACL; both have what only owners see."""
    owner = place[1]("v1 acl owner")
    assert owner.post("/v1/AUTH_acl", headers=dict(
        ACCOUNT_SECRETS, **{"X-Account-Meta-Plain": "p"})).status == 204
    path = make(owner, "c", account="/v1/AUTH_acl")
    assert owner.post(path, headers=dict(SECRETS, **{
        "X-Container-Meta-Plain": "p"})).status == 204
    return path


@pytest.mark.parametrize("caller", BY_ACCOUNT_ACL)
def test_account_acl(place, granted, caller):
    c, wrong = place[1](caller), []
    account, rights = BY_ACCOUNT_ACL[caller]
    for verb, (needed, allowed) in ACCOUNT.items():
        query = "?format=json" if verb == "GET" else "?x=y" if verb == "DELETE" else ""
        check(wrong, verb, c.request(verb, "/v1/AUTH_acl" + query),
              status(account, needed, allowed, caller))
    for verb, (needed, allowed) in CONTAINER.items():
        query = "?format=json" if verb == "GET" else ""
        check(wrong, verb + " container", c.request(verb, granted + query),
              status(rights, needed, allowed, caller))
    for (verb, name), (needed, allowed) in OBJECT.items():
        check(wrong, verb + " " + name, try_object(c, granted, verb, name),
              status(rights, needed, allowed, caller))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("caller", BY_ACCOUNT_ACL)
def test_owners_headers(place, granted, caller):
    """Owners see and set them; others neither, and are not told that they were dropped."""
    _, login = place
    c, owner = login(caller), login("v1 acl owner")
    account, rights = BY_ACCOUNT_ACL[caller]
    is_owner = "p" in account
    for verb in "GET", "HEAD":
        for path, secrets, may, plain in (
                (granted, SECRETS, "l" in rights, "X-Container-Meta-Plain"),
                ("/v1/AUTH_acl", ACCOUNT_SECRETS, "a" in account, "X-Account-Meta-Plain")):
            res = c.request(verb, path)
            seen = {k: v for k, v in secrets.items() if res.headers.get(k) == v}
            assert seen == (secrets if is_owner else {}), (verb, path)
            assert not is_owner or not set(secrets) - {n for n, _ in res.headers}
            assert is_owner or not {n for n, _ in res.headers} & set(secrets)
            assert (res.headers.get(plain) == "p") == may
            assert not [n for n, _ in res.headers if "sysmeta" in n.lower() or "backend" in
                        n.lower()]
    new = dict.fromkeys(SECRETS, "changed")
    new["X-Container-Sync-To"] = "http://127.0.0.1/v1/AUTH_b/c"
    gone = {n.replace("X-", "X-Remove-", 1): "x" for n in SECRETS}
    for verb in "POST", "PUT":
        for headers in new, gone:
            res = c.request(verb, granted, headers=headers)
            assert res.status == status(rights, "c", 204 if verb == "POST" else 202, caller)
            got = owner.head(granted).headers
            want = SECRETS if not is_owner else new if headers is new else {}
            assert {k: got[k] for k in SECRETS if k in got} == want, (verb, headers)
            assert owner.post(granted, headers=SECRETS).status == 204
    # A container that a grantee makes has what he sent, without what only owners set.
    if "c" in rights:
        assert c.put("/v1/AUTH_acl/fresh", headers=dict(SECRETS, **{
            "X-Container-Meta-Plain": "p"})).status == 201
        got = owner.head("/v1/AUTH_acl/fresh").headers
        assert got["X-Container-Meta-Plain"] == "p"
        assert {k: got[k] for k in SECRETS if k in got} == (SECRETS if is_owner else {})
        assert c.delete("/v1/AUTH_acl/fresh").status == 204


def test_service_accounts(place):
    """Accounts of the second prefix: their owners may nothing without a service's token. Keystone's
    middleware believes nobody who comes with one that is not good; v1 takes no notice of it."""
    _, login = place
    path = "/v1/SERVICE_mx/c"
    for kind in "v1", "v3":
        owner, service = login(kind + " owner"), login(kind + " service")
        bad = 401 if kind == "v3" else 403
        for token, expected in ((None, 403), (service.token, 201), (owner.token, 403), ("", 403),
                                (service.token[:-2], bad), ("AUTH_tknonsense", 403)):
            headers = {"X-Service-Token": token} if token is not None else {}
            assert owner.put(path, headers=headers).status == expected, (kind, token)
            assert owner.get("/v1/SERVICE_mx", headers=headers).status == (
                200 if expected == 201 else expected)
        with_service = {"X-Service-Token": service.token}
        assert service.put(path, headers=with_service).status == 403
        assert login(kind + " plain").put(path, headers=with_service).status == 403
        assert login("nobody").put(path, headers=with_service).status == 401
        assert owner.delete("/v1/SERVICE_mx", headers=with_service).status == 403
        assert owner.delete(path, headers=with_service).status == 204


def test_only_the_reseller_deletes_accounts(place):
    """Not even those whom an account ACL calls admin (Swift lets them)."""
    _, login = place
    root, account = login("v1 reseller"), "/v1/AUTH_gone"
    assert root.put(account).status == 201
    assert root.post(account, headers={
        "X-Account-Access-Control": '{"admin": ["mx:plain"]}'}).status == 204
    assert login("v1 plain").post(account, headers={"X-Account-Meta-A": "b"}).status == 204
    for caller in "v1 plain", "v3 plain", "v1 other", "v1 reseller reader", "v3 auditor":
        assert login(caller).delete(account).status == 403
    assert login("nobody").delete(account).status == 401
    assert root.delete(account).status == 204
