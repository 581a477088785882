"""Bad tokens and signatures, tricks with paths, ACLs, headers and framing, forms without end: each
has a clear answer, takes nothing from others, and tells nothing to those who may not know."""
import base64
import hashlib
import hmac
import http.client
import json
import time
import urllib.parse
import uuid

import pytest

from tests.harness.cluster import SAIO_CONF

KEY, CONTAINER_KEY = "attack-account-key-5f1c", "attack-container-key-77aa"
SECRET = b"what nobody else may read"


@pytest.fixture(scope="module")
def place(cluster):
    """(client, container): private, with an object "dir/o" and keys on account and container; one
    that everybody may read is beside it, its name ends in -public."""
    c = cluster.client("tester")
    name = "attack-" + uuid.uuid4().hex[:8]
    assert c.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY}).status == 204
    assert c.put(name, headers={"X-Container-Meta-Temp-URL-Key": CONTAINER_KEY}).status == 201
    assert c.put(name + "-public", headers={"X-Container-Read": ".r:*,.rlistings"}).status == 201
    for path in "/dir/o", "/secret", "-public/o":
        assert c.put(name + path, SECRET).status == 201
    yield c, name
    for n in name, name + "-public":
        c.empty(n)
    c.post("", headers={"X-Remove-Account-Meta-Temp-URL-Key": "x"})
    c.close()


def sign(method, path, expires, key=KEY, digest="sha256"):
    return hmac.new(key.encode(), ("%s\n%d\n%s" % (method, expires, path)).encode(), digest)


def soon():
    return int(time.time()) + 600


def v3_body(user="tester", password="testing", project="test"):
    return json.dumps({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "password": password, "domain": {"name": "Default"}}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}})


def v3_token(c, **kw):
    res = c.post("/v3/auth/tokens", v3_body(**kw))
    assert res.status == 201, res
    return res.headers["X-Subject-Token"]


# Tokens.

def forgeries(token):
    """Texts that look like the token."""
    n = len(token)
    for i in (0, 1, 5, 8, 9, 20, n // 2, n - 3, n - 2, n - 1):
        yield token[:i]
        swapped = "B" if token[i] != "B" else "C"
        yield token[:i] + swapped + token[i + 1:]
    yield from (token + x for x in ("A", "=", "==", " A", ",", "%00", "\u00e9", token))
    yield from (token[:9] + token[10:], token.upper(), token.lower(), token[::-1])
    yield from (token[:8] + "A" * k for k in (1, 16, 100, n - 8, 4000, 8000))


@pytest.mark.parametrize("kind", ["v1", "v3"])
def test_forged_tokens(place, anonymous, kind):
    c, name = place
    token = c.token if kind == "v1" else v3_token(c)
    path = "%s/%s/dir/o" % (c.account, name)
    assert anonymous.get(path, token=token).body == SECRET
    for bad in forgeries(token):
        if bad == token:
            continue
        res = anonymous.get(path, headers={"X-Auth-Token": bad.encode("utf-8")})
        assert res.status == 401 and SECRET not in res.body, bad
        # Also beside a good one under the other name, and when it is public.
        res = anonymous.get(path, headers={"X-Auth-Token": bad.encode("utf-8"),
                                           "X-Storage-Token": token})
        assert res.status in ((200, 401) if not bad else (401,)), bad


def test_tokens_of_the_other_kind(place, anonymous):
    """What is sealed for one use is not good for another."""
    c, name = place
    v1, v3 = c.token, v3_token(c)
    path = "%s/%s/dir/o" % (c.account, name)
    start = next(i for i, x in enumerate(zip(v1[::-1], v3[::-1])) if x[0] != x[1])
    assert start < 20       # they have no end in common
    for prefix, sealed in ((v1[:7], v3), (v3[:4], v1)):
        for skip in range(9):
            assert anonymous.get(path, token=prefix + sealed[skip:]).status == 401
    assert anonymous.get("/v3/auth/tokens", token=v1, headers={
        "X-Subject-Token": v3}).status == 401


@pytest.fixture
def other_cluster(make_cluster, tmp_path):
    """One with other keys, whose tokens live for two seconds."""
    with open(SAIO_CONF) as f:
        text = f.read().replace("[tempauth]\n", "[tempauth]\ntoken_life = 2s\n")
    conf = tmp_path / "short.conf"
    conf.write_text(text + "\n[keystone]\ntoken_life = 2s\n")
    return make_cluster(conf=str(conf))


def test_tokens_of_another_cluster_and_of_yesterday(place, anonymous, other_cluster):
    c, _ = place
    there = other_cluster.client(None)
    for ours in c.token, v3_token(c):
        assert there.get("/v1/AUTH_test", token=ours).status == 401
    tokens = []
    for kind in "v1", "v3":
        if kind == "v1":
            there.login("test:tester", "testing")
        tokens.append(there.token if kind == "v1" else v3_token(there))
        assert there.put("/v1/AUTH_test/c", token=tokens[-1]).status in (201, 202)
        assert anonymous.get(c.account, token=tokens[-1]).status == 401
    for token in tokens:        # replayed when their time is over
        other_cluster.wait_for(lambda t=token: there.get("/v1/AUTH_test", token=t).status == 401)
        assert there.put("/v1/AUTH_test/c2", token=token).status == 401
    there.close()


# Temporary URLs.

def test_forged_signatures(place, anonymous):
    """Signatures of another method, path, key, time or digest, and other writings of good ones."""
    c, name = place
    path, t = "%s/%s/dir/o" % (c.account, name), soon()
    good = sign("GET", path, t).hexdigest()

    def get(sig=good, expires=t, at=path, **more):
        return anonymous.get(at, query=dict(
            {"temp_url_sig": sig, "temp_url_expires": expires}, **more))

    assert get().body == SECRET
    b64 = base64.b64encode(sign("GET", path, t).digest()).decode()
    assert get("sha256:" + b64).body == SECRET
    bad = [good.upper(), "A" + good[1:], good + "0", good + "00", good[:-2], " " + good,
           good + "\n", good + "\0", good.encode().hex(), "0x" + good, good[:40], "0" * 64,
           "sha1:" + b64, "SHA256:" + b64, "sha256:" + good, "sha256:" + b64 + "AAAA",
           "sha256:" + b64[:-4], "sha256: " + b64, "sha256::" + b64, ":" + b64, "sha512:" + b64,
           "md5:" + b64, "sha256:" + b64[:10] + "\n" + b64[10:], "sha256:" + b64.swapcase(),
           "sha256:", "sha3_256:" + b64, "\u0660" * 64]
    bad += [sign(m, path, t).hexdigest() for m in ("PUT", "get", "HEAD", "DELETE", "")]
    bad += [sign("GET", p, t).hexdigest() for p in (
        path + "x", path[:-1], path + "/", path.replace("/dir/", "//dir/"), path[1:],
        urllib.parse.quote(path, safe=""), "/v1.0" + path[3:], "prefix:" + path)]
    bad += [sign("GET", path, t, k).hexdigest() for k in (
        "", KEY + " ", KEY.upper(), KEY[:-1], CONTAINER_KEY[:-1], "\0" + KEY)]
    bad += [sign("GET", path, x).hexdigest() for x in (t + 1, t - 1, 0)]
    bad += [hashlib.sha256(KEY.encode() + ("GET\n%d\n%s" % (t, path)).encode()).hexdigest()]
    for i, sig in enumerate(bad):
        res = get(sig)
        assert (res.status, res.body) == (401, b"401 Unauthorized: Temp URL invalid\n"), (i, sig)
    for expires in (t + 1, t * 10, -t, "%d.0" % t, "%x" % t, "1e10", "", " ", "9" * 30, "٣" * 10,
                    "2038-13-01T00:00:00Z", "2038-01-01", "2038-01-01T00:00:00", "+inf"):
        assert get(expires=expires).status == 401, expires
    # Good for the time that it says, not for one that comes second.
    assert anonymous.get(path + "?temp_url_sig=%s&temp_url_expires=%d&temp_url_expires=%d" % (
        good, t - 10000, t)).status == 401
    assert anonymous.get(path + "?temp_url_sig=%s&temp_url_expires=%d&temp_url_sig=%s" % (
        "0" * 64, t, good)).status == 401
    late = int(time.time()) - 1
    assert get(sign("GET", path, late).hexdigest(), late).status == 401


def test_signatures_of_other_places(place, anonymous):
    """What is signed for one name is not good for another that some part might take for it."""
    c, name = place
    t = soon()
    path = "%s/%s/dir/o" % (c.account, name)
    query = {"temp_url_sig": sign("GET", path, t).hexdigest(), "temp_url_expires": t}
    base = "%s/%s" % (c.account, name)
    assert anonymous.get(base + "/dir%2Fo", query=query).body == SECRET     # the same name
    for other in (base + "/dir/../dir/o", base + "/dir/./o", base + "/dir//o", base + "//dir/o",
                  "//v1" + path[3:], "/v1/" + path[3:], base + "/dir/o/", base + "/dir/o%00",
                  base + "/dir/o%00x", base + "/dir%5Co", base + "/dir/%ef%bd%8f",
                  base + "/dir/o%20", base + "/DIR/o", base + "/dir/%256f", base + "/dir/%c1%af",
                  "/v1.0" + path[3:], base + "-public/../%s/dir/o" % name):
        res = anonymous.get(other, query=query)
        assert res.status in (401, 404, 412) and SECRET not in res.body, other
    # A prefix ends where it ends; two dots are a name like any other.
    prefix = {"temp_url_sig": sign("GET", "prefix:%s/dir/" % base, t).hexdigest(),
              "temp_url_expires": t, "temp_url_prefix": "dir/"}
    assert anonymous.get(base + "/dir/o", query=prefix).body == SECRET
    for other, status in (("/secret", 401), ("/dir/../secret", 404), ("/dir/%2e%2e/secret", 404),
                          ("/%64ir/../secret", 404), ("/dir", 401), ("/dir%00/../secret", 401),
                          ("/dir/%00", 401), ("", 401), ("/", 401)):
        res = anonymous.get(base + other, query=prefix)
        assert res.status == status and SECRET not in res.body, other
    # Another account's key, or that of a container beside it, is no key here.
    for key, at in (CONTAINER_KEY, base + "-public/new"), (KEY, "/v1/AUTH_test2/c/o"):
        sig = sign("PUT", at, t, key).hexdigest()
        assert anonymous.put(at, b"x", query={
            "temp_url_sig": sig, "temp_url_expires": t}).status == 401


def test_links_do_not_reach_further(place, anonymous):
    """A link's other parameters and headers have no effect beyond what it is for."""
    c, name = place
    base, t = "%s/%s" % (c.account, name), soon()

    def query(method, path, key=KEY, **more):
        return dict({"temp_url_sig": sign(method, path, t, key).hexdigest(),
                     "temp_url_expires": t}, **more)

    up = base + "/uploaded"
    for headers in ({"X-Copy-From": name + "/secret"}, {"X-Object-Manifest": name + "/dir"},
                    {"X-Symlink-Target": name + "/secret"},
                    {"X-Symlink-Target": "c/o", "X-Symlink-Target-Account": "AUTH_test2"}):
        res = anonymous.put(up, headers=headers, query=query("PUT", up, CONTAINER_KEY))
        if res.status == 201:       # a copy within what the key is for
            assert "X-Copy-From" in headers
        else:
            assert res.status == 400, headers
    other = {"X-Copy-From": name + "-public/o"}
    assert anonymous.put(up, headers=other, query=query("PUT", up, CONTAINER_KEY)).status == 401
    manifest = json.dumps([{"path": "/%s/secret" % name}])
    assert anonymous.put(up, manifest, query=query(
        "PUT", up, **{"multipart-manifest": "put"})).status == 201
    assert c.get(name + "/uploaded").body == manifest.encode()      # bytes, no manifest
    assert anonymous.put(up, b"x", headers={"X-Timestamp": "9999999999.00000"},
                         query=query("PUT", up)).status == 201
    assert float(c.head(name + "/uploaded").headers["X-Timestamp"]) < 2e9
    assert anonymous.request("COPY", base + "/secret", headers={
        "Destination": name + "-public/stolen"},
        query=query("COPY", base + "/secret")).status == 401
    assert c.head(name + "-public/stolen").status == 404
    # Response splitting by the name of the download.
    res = anonymous.get(base + "/secret", query=query(
        "GET", base + "/secret", filename="a\r\nX-Evil: 1\r\n\r\n<b>\"; x=y"))
    assert res.status == 200 and "X-Evil" not in res.headers
    assert res.headers["Content-Disposition"].count('"') == 2


# Paths and ACLs.

@pytest.mark.parametrize("path", [
    "/v1/AUTH_test/%s/../%s-public/o", "/v1/AUTH_test/%s-public/../%s/dir/o",
    "/v1/AUTH_test2/../AUTH_test/%s/dir/o", "/v1/AUTH_test/%s%%2Fdir%%2Fo",
    "/v1%%2FAUTH_test%%2F%s%%2Fdir%%2Fo", "/v1/AUTH_test/./%s/dir/o",
    "/v1/AUTH_test/%s/dir/o%%00", "/v1/AUTH_test%%00/%s/dir/o", "/v1/AUTH_test/%s%%00/dir/o",
    "/v1/AUTH_test/%%00versions%%00%s/dir/o", "//v1/AUTH_test/%s/dir/o", "/v1/AUTH_test//%s/dir/o",
    "/V1/AUTH_test/%s/dir/o", "/v1/%%41UTH_test/%s/dir/o", "/v1/auth_test/%s/dir/o",
    "/v1/AUTH_test/%s/dir%%c0%%afo", "/v1/AUTH_test/%s/dir/%%ed%%a0%%80",
    "/v1/AUTH_te%%73t/%s/dir/o",
    "/v1/AUTH_test;x=y/%s/dir/o", "/v1/AUTH_test/%s;/dir/o", "/v1/AUTH_test/%s/dir/o?/../../x",
    "/v1/AUTH_test%%20/%s/dir/o", "/v1/%%20AUTH_test/%s/dir/o",
    "/v1/%%ef%%bc%%a1UTH_test/%s/dir/o", "/v1/.identity/%s/o",
    "/auth/v1.0/../../v1/AUTH_test/%s/dir/o",
    "/info/../v1/AUTH_test/%s/dir/o", "/healthcheck/../v1/AUTH_test/%s/dir/o"])
def test_paths(place, anonymous, path):
    """However a private place is written, nobody comes there without a token."""
    _, name = place
    path = path.replace("%s-public", name + "-public") % ((name,) * path.replace(
        "%s-public", "").count("%s"))
    for token in None, "AUTH_tkx":
        res = anonymous.get(path, token=token)
        assert res.status in (400, 401, 403, 404, 412), path
        assert SECRET not in res.body


@pytest.mark.parametrize("acl", [
    "test2", "test2:tester2,", "%74est2:tester2", "test2%3Atester2",
    " test2 ", "x,test2:tester2,y"])
def test_acls_that_name_him(cluster, client, container, acl):
    other = cluster.client("other")
    assert client.post(container, headers={"X-Container-Read": acl}).status == 204
    assert other.get("/v1/AUTH_test/" + container).status in (200, 204)
    other.close()


@pytest.mark.parametrize("acl", [
    "TEST2:tester2", "test2:tester", "test2:tester2x", "test2:*", "*:tester2", "*:*", "*", "test",
    "test2%00:tester2", "test2:tester2%20", "test2%2Ctest2:tester2", "test2;test2:tester2",
    "test2\uff0ctest2:tester2", "\uff54est2:tester2", "test2\u200b", "r:*", "%2er:*",
    "%2er:*,.rlistings", ".rlistings", ".r:", ".R:*", ".r :-*", ".r:-*", ".r:*.", ".admin",
    ".reseller_admin", "AUTH_test2:tester2", "\"test2\"", "test2\\:tester2", "[\"test2\"]"])
def test_acls_that_do_not(cluster, client, anonymous, container, acl):
    """Refused, or without an effect for one whom they do not name."""
    other = cluster.client("other")
    assert client.put(container + "/o", SECRET).status == 201
    assert client.post(container, headers={
        "X-Container-Read": acl.encode()}).status in (204, 400)
    path = "/v1/AUTH_test/%s/o" % container
    assert other.get(path).status == 403 and anonymous.get(path).status == 401
    assert other.get(path.rpartition("/")[0]).status == 403
    other.close()


def test_hostile_names_in_keystone(cluster, client, container, anonymous):
    """A user's or project's name is one name, whatever stands in it."""
    admin = cluster.client(None)
    admin.token = v3_token(admin, user="admin", password="admin", project="admin")

    def post(path, doc):
        res = admin.post(path, json.dumps(doc))
        assert res.status == 201, res
        return next(iter(res.json.values()))["id"]

    roles = {r["name"]: r["id"] for r in admin.get("/v3/roles").json["roles"]}
    assert client.post(container, headers={
        "X-Container-Read": "test2:tester2,.rlistings",
        "X-Container-Write": "*:tester2"}).status == 204
    tag = uuid.uuid4().hex[:8]
    for user, project in (("x,test2:tester2", "p" + tag), ("tester2", "a,test2"), ("*", "*"),
                          (",*:tester2,", "q" + tag), ("u" + tag, "z,*:tester2")):
        names = user + tag if user == "tester2" else user
        u = post("/v3/users", {"user": {"name": names, "password": "pw"}})
        p = post("/v3/projects", {"project": {"name": project}})
        assert admin.put("/v3/projects/%s/users/%s/roles/%s" % (
            p, u, roles["reader"])).status == 204
        token = v3_token(anonymous, user=names, password="pw", project=project)
        path = "/v1/AUTH_test/" + container
        assert anonymous.get(path, token=token).status == 403, (user, project)
        assert anonymous.put(path + "/o", b"x", token=token).status == 403, (user, project)
        assert admin.delete("/v3/users/" + u).status == 204
        assert admin.delete("/v3/projects/" + p).status == 204
    admin.close()


# Headers from outside.

SMUGGLED = {
    "X-Backend-Storage-Policy-Index": "1", "X-Backend-Replication": "true",
    "X-Backend-Allow-Reserved-Names": "true", "X-Backend-Timestamp": "0000000001.00000",
    "X-Backend-Open-Expired": "true", "X-Backend-Record-Type": "shard",
    "X-Backend-Obj-Content-Length": "1", "X-Backend-Container-Update-Override-Etag": "fake",
    "X-Object-Sysmeta-Container-Update-Override-Size": "99", "X-Backend": "x",
    "X-Object-Sysmeta-Symlink-Target": "other/secret", "X-Object-Sysmeta-Slo-Etag": "x",
    "X-Object-Sysmeta-Slo-Size": "77", "X-Object-Transient-Sysmeta-A": "b",
    "X-Container-Sysmeta-Versions-Enabled": "true", "X-Account-Sysmeta-Core-Access-Control":
    '{"admin":["test2:tester2"]}', "X-Account-Sysmeta-Quota-Bytes": "0",
    "X-Container-Host": "127.0.0.1:1", "X-Container-Device": "d", "X-Container-Partition": "1",
    "X-Container-Root-Db-State": "sharded", "X-Account-Host": "127.0.0.1:1",
    "X-Account-Device": "d", "X-Account-Partition": "1", "X-Delete-At-Host": "127.0.0.1:1",
    "X-Delete-At-Device": "d", "X-Delete-At-Partition": "1", "X-Delete-At-Container": "x",
    "X-Timestamp": "0000000002.00000", "X-Needletail-Etag": "0" * 32, "X-Needletail": "1",
    "X-Needletail-Raw": "true", "X-Trans-Id": "txforged", "X-Openstack-Request-Id": "txforged",
}


@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_smuggled_headers(cluster, client, container, spell):
    """No verb takes an order that only the inside gives, however it is spelt."""
    headers = {spell(k): v for k, v in SMUGGLED.items()}
    path = container + "/o"
    assert client.put(path, b"one", headers=headers).status == 201
    plain = client.get(path)
    assert plain.body == b"one" and float(plain.headers["X-Timestamp"]) > 1e9
    for verb, at, statuses in (
            ("GET", path, (200,)), ("HEAD", path, (200,)), ("POST", path, (202,)),
            ("GET", container, (200,)), ("HEAD", container, (204,)), ("PUT", container, (202,)),
            ("POST", container, (204,)), ("GET", "", (200,)), ("HEAD", "", (204,)),
            ("POST", "", (204,))):
        res = client.request(verb, at, headers=headers)
        assert res.status in statuses, (verb, at)
        assert not res.headers["X-Trans-Id"].startswith("txforged")
        for name, value in res.headers:
            low = name.lower()
            assert "sysmeta" not in low and not low.startswith(("x-backend", "x-needletail")), name
            assert "127.0.0.1:1" != value and "core-access" not in low
    row = client.get(container, query={"format": "json"}).json[0]
    assert (row["name"], row["bytes"], row["hash"]) == ("o", 3, hashlib.md5(b"one").hexdigest())
    other = cluster.client("other")     # no account ACL came in, and none goes
    assert other.get("/v1/AUTH_test").status == 403
    assert client.post("", headers={
        "X-Account-Access-Control": '{"read-only":["test2:tester2"]}'}).status == 204
    assert client.post("", headers={
        spell("X-Remove-Account-Sysmeta-Core-Access-Control"): "x",
        spell("X-Account-Sysmeta-Core-Access-Control"): ""}).status == 204
    assert other.get("/v1/AUTH_test").status in (200, 204)
    assert client.post("", headers={"X-Account-Access-Control": ""}).status == 204
    other.close()
    assert client.copy(path, container + "/copy", headers=headers).status == 201
    assert client.get(container + "/copy").body == b"one"
    assert client.delete(path, headers=headers).status == 204
    assert client.get(path).status == 404
    assert client.get("%00" + container, headers=headers).status == 412


def test_trailers_are_no_headers(cluster, client, container):
    with cluster.raw() as raw:
        raw.send("PUT %s/%s/t HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n"
                 "Transfer-Encoding: chunked\r\n"
                 "Trailer: X-Object-Meta-A, ETag, X-Delete-After\r\n\r\n"
                 "3\r\nabc\r\n0\r\nX-Object-Meta-A: b\r\nETag: 00\r\nX-Needletail-Etag: 00\r\n"
                 "X-Object-Sysmeta-Slo-Etag: x\r\nX-Delete-After: 1\r\n\r\n"
                 % (client.account, container, client.token))
        assert raw.response("PUT").status == 201
    res = client.get(container + "/t")
    assert res.body == b"abc" and res.headers["Etag"] == hashlib.md5(b"abc").hexdigest()
    assert "X-Object-Meta-A" not in res.headers and "X-Delete-At" not in res.headers


# Framing.

def test_two_framings(cluster, client, container):
    """Length and chunks at once: chunks count, and what follows is not a request in disguise."""
    inner = "PUT %s/%s/smuggled HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n" \
        "Content-Length: 0\r\n\r\n" % (client.account, container, client.token)
    head = "PUT %s/%s/outer HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n" % (
        client.account, container, client.token)
    chunk = "%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    for fields, body, stored in (
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", chunk, inner),
            ("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(chunk), chunk, inner),
            ("Content-Length: %d\r\n" % len(inner), inner, inner)):
        with cluster.raw() as raw:
            raw.send(head + fields + "\r\n" + body)
            assert raw.response("PUT").status in (201, 400), fields
            raw.end()
            assert raw.rest() == b"", fields
        got = client.get(container + "/outer")
        assert got.status == 404 or got.text == stored
        assert client.head(container + "/smuggled").status == 404, fields
    for fields in ("Content-Length: 0\r\nContent-Length: %d\r\n" % len(inner),
                   "Content-Length: 0, %d\r\n" % len(inner), "Content-Length: +0\r\n",
                   "Content-Length : 0\r\n", "Content-Length: 0x0\r\n",
                   "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
                   "Transfer-Encoding:\x0bchunked\r\n", "X: a\rContent-Length: 3\r\n",
                   "X: a\x00b\r\n", "X\r\n : y\r\n", " Content-Length: 0\r\n"):
        with cluster.raw() as raw:
            raw.send(head + fields + "\r\n" + inner)
            status = raw.response("PUT").status
            assert status in (400, 411, 501), fields
            raw.end()
            assert b" 201 " not in raw.rest()
        assert client.head(container + "/smuggled").status == 404, fields


NASTY = "a\r\nX-Evil: 1\r\n\r\nDELETE / HTTP/1.1\r\n\r\n"


def test_line_ends_in_names(client, container):
    """Names and values go to the storage servers encoded, so a line end in one is a byte of it."""
    quoted = urllib.parse.quote(NASTY, safe="")
    path = container + "/" + quoted
    assert client.put(path, b"x", headers={"X-Object-Meta-Q": quoted}).status == 201
    res = client.get(path)
    assert res.status == 200 and res.headers["X-Object-Meta-Q"] == quoted
    assert "X-Evil" not in res.headers
    assert client.list(container) == [NASTY]
    assert client.post(path, headers={"X-Object-Meta-A": "b"}).status == 202
    assert client.copy(path, container + "/" + quoted + "2").status == 201
    assert client.put(container + "/link", headers={
        "X-Symlink-Target": container + "/" + quoted}).status == 201
    assert client.get(container + "/link").body == b"x"
    assert client.put(container + "/dlo", headers={
        "X-Object-Manifest": container + "/" + quoted}).status == 201
    assert client.get(container + "/dlo").body == b"xx"
    other = container + "-" + urllib.parse.quote(NASTY.replace("/", ""))
    for at, body in (other, None), (other + "/o", b"y"):
        assert client.put(at, body).status == 201
    assert client.get(other + "/o").body == b"y"
    for at in other + "/o", other, path:
        assert client.delete(at).status == 204
    res = client.get(container, query={"prefix": NASTY, "marker": NASTY, "delimiter": "\r\n"})
    assert res.status in (200, 204) and "X-Evil" not in res.headers


def test_line_ends_in_accounts(anonymous, client):
    quoted = urllib.parse.quote("AUTH_x" + NASTY.replace("/", "") + "\"", safe="")
    for path in "/v1/%s" % quoted, "/v1/%s/c/o?temp_url_sig=x&temp_url_expires=1" % quoted:
        res = anonymous.get(path)
        assert res.status == 401 and "X-Evil" not in res.headers
        assert res.headers["Www-Authenticate"] == 'Swift realm="%s"' % quoted
    assert client.get("/v1/%s" % quoted).status == 403


# Forms.

def rss(cluster):
    return max(p.status_kib() for p in cluster.processes("needletail-proxy"))


def flood(c, path, head, pieces, kind="multipart/form-data; boundary=bnd"):
    """Sends until all is sent or the server has had enough: (status, whether it was cut off)."""
    conn = http.client.HTTPConnection(c.host, c.port, timeout=60)
    conn.putrequest("POST", path)
    conn.putheader("Content-Type", kind)
    conn.putheader("Transfer-Encoding", "chunked")
    conn.endheaders()
    cut = False
    try:
        for piece in [head] + list(pieces):
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        conn.send(b"0\r\n\r\n")
    except OSError:
        cut = True
    try:
        return conn.getresponse().status, cut
    except (OSError, http.client.HTTPException):
        return None, cut
    finally:
        conn.close()


PART = b"--bnd\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nv\r\n"
OPEN = b"--bnd\r\nContent-Disposition: form-data; name=\"f\"\r\n"


# About 50 MB each: a million fields; a field, a part's head, a line of it without an end; parts
# that are nothing but heads; a beginning that never comes; what is nearly a boundary; an unsigned
# file.
ENDLESS = {
    "fields": (b"", PART * 1000), "field": (OPEN + b"\r\n", b"v" * 65536),
    "head": (OPEN, b"X-H: " + b"v" * 65000 + b"\r\n"), "line": (OPEN + b"X-H: ", b"v" * 65536),
    "heads": (b"", b"--bnd\r\n" + b"a: b\r\n" * 10000), "beginning": (b"", b"\r\n" * 30000),
    "dashes": (b"--bnd\r\n\r\n", b"\r\n--bn" * 10000),
    "file": (OPEN[:-2] + b"; filename=\"x\"\r\n\r\n", b"v" * 65536),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_forms_without_end(place, cluster, anonymous, kind):
    """Refused, with bounded memory, while others are served."""
    c, name = place
    head, piece = ENDLESS[kind]
    before = rss(cluster)
    for _ in range(2):
        status, cut = flood(anonymous, "%s/%s/" % (c.account, name), head,
                            (piece for _ in range(800)))
        assert status in (400, 401) or (cut and status is None), (kind, status)
        assert anonymous.get("%s/%s-public/o" % (c.account, name)).body == SECRET
    assert rss(cluster) - before < 16 * 1024, kind
    assert "x" not in c.list(name)


@pytest.mark.parametrize("kind", [
    "multipart/form-data", "multipart/form-data;", "multipart/form-data; boundary",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
    "multipart/form-data; boundary=" + "b" * 8000, "multipart/form-data; boundary=\"bnd",
    "multipart/form-data; boundary=\x01", "multipart/form-data; boundary=other; boundary=bnd2"])
def test_boundaries(place, anonymous, kind):
    c, name = place
    status, _ = flood(anonymous, "%s/%s/" % (c.account, name), PART, [b"--bnd--\r\n"], kind)
    assert status in (400, 401), kind


# Silence.

def view(res, path):
    """All that an answer tells, but what differs each time; the path that was asked for."""
    body = res.body.replace(path[len("/v1/AUTH_test"):].encode(), b"PATH")
    return res.status, body, sorted((k, v) for k, v in res.headers if k.lower() not in (
        "date", "x-trans-id", "x-openstack-request-id"))


QUERIES = ("", "?multipart-manifest=get", "?symlink=get", "?version-id=null", "?format=json",
           "?versions", "?multipart-manifest=delete", "?part-number=1",
           "?version-id=1700000000.00000", "?version-id=nonsense")
HEADERS = ({}, {"If-None-Match": "*"}, {"If-Match": "*"}, {"Range": "bytes=0-1"},
           {"X-Newest": "true"}, {"X-Web-Mode": "true"}, {"Referer": "http://x/"},
           {"Expect": "100-continue"}, {"X-Copy-From": "a/b"}, {"X-Detect-Content-Type": "true"})


@pytest.mark.parametrize("who", [None, "other", "tester3"])
def test_existence_is_not_told(cluster, place, who):
    """One who may not know gets the same answer for what is there and for what is not."""
    owner, name = place
    c = cluster.client(who)
    versioned = name + "-versioned"
    assert owner.put(versioned, headers={"X-Versions-Enabled": "true"}).status in (201, 202)
    there, missing = "/v1/AUTH_test/%s" % name, "/v1/AUTH_test/attack-" + "0" * 8
    pairs = [(there + "/secret", missing + "/secret"), (there + "/secret", there + "/absent"),
             ("/v1/AUTH_test/%s/o" % versioned, missing + "/o"), (there, missing)]
    for verb in "GET", "HEAD", "PUT", "POST", "DELETE", "COPY":
        more = {"Destination": "x/y"} if verb == "COPY" else {}
        asked = [("", h) for h in HEADERS] + [(q, {}) for q in QUERIES]
        for query, headers in asked:
            for a, b in pairs[:-1] if verb == "COPY" else pairs:
                one, two = (c.request(verb, p + query, headers=dict(headers, **more))
                            for p in (a, b))
                what = (verb, a, query, headers)
                if query == "?multipart-manifest=delete" and verb == "DELETE" and a != there:
                    assert b"Number Deleted: 0" in one.body     # a report, as of bulk deletes
                else:
                    assert one.status == (401 if who is None else 403), what
                # Lengths of names differ, and so do those of reports.
                fixed = [[(k, v) for k, v in view(*x)[2] if k != "Content-Length"]
                         for x in ((one, a), (two, b))]
                assert view(one, a)[:2] == view(two, b)[:2] and fixed[0] == fixed[1], what
    # A manifest is read before it is asked who sends it; its pieces are asked for in his name.
    one, two = (c.put("/v1/AUTH_test2/x/m?multipart-manifest=put", json.dumps([
        {"path": "/%s/%s" % (at, o), "size_bytes": size}]), token=c.token)
        for at, o, size in ((name, "secret", len(SECRET)), ("attack-" + "0" * 8, "absent", 9)))
    assert one.status == two.status and one.status >= 400
    for verb in "GET", "HEAD", "POST":
        one, two = (c.request(verb, "/v1/AUTH_" + a) for a in ("admin", "nevr1"))
        assert (one.status, one.body) == (two.status, two.body)
    owner.delete(versioned)
    c.close()


def test_keys_are_not_told(place, anonymous):
    """A bad signature is a bad signature, with keys or without, whether there is a place or not."""
    c, name = place
    t = soon()
    for digest in "sha1", "sha256", "sha512":
        sig = hmac.new(b"guess", b"x", digest).hexdigest()
        query = {"temp_url_sig": sig, "temp_url_expires": t}
        for method in "GET", "HEAD", "PUT", "DELETE", "POST":
            answers = {}
            for path in ("%s/%s/secret" % (c.account, name), "%s/%s/absent" % (c.account, name),
                         c.account + "/absent/absent", "/v1/AUTH_test2/absent/absent",
                         "/v1/AUTH_none/absent/absent"):
                res = anonymous.request(method, path, query=query)
                answers[path] = (res.status, res.body)
            assert set(answers.values()) == {
                (401, b"" if method == "HEAD" else b"401 Unauthorized: Temp URL invalid\n")}


def test_users_are_not_told(anonymous):
    """A login says the same of a wrong password and of somebody who is not there."""
    def v1(user, key):
        res = anonymous.get("/auth/v1.0", headers={"X-Auth-User": user, "X-Auth-Key": key})
        return res.status, res.body

    assert v1("test:tester", "wrong") == v1("test:nobody", "wrong") == v1("none:none", "wrong")
    assert v1("test:tester", "wrong")[0] == 401

    def v3(**kw):
        res = anonymous.post("/v3/auth/tokens", v3_body(**kw))
        return res.status, res.json["error"]

    assert v3(password="wrong") == v3(user="nobody") == v3(project="none") == v3(project="test2")
    assert v3(password="wrong")[0] == 401


def test_nothing_secret_is_logged(place, cluster, anonymous):
    """Tokens and signatures are cut, keys and passwords not there, in all logs of all programs."""
    c, name = place
    t, path = soon(), "%s/%s/secret" % (c.account, name)
    token = v3_token(anonymous)
    sigs = [sign("GET", path, t, digest=d).hexdigest() for d in ("sha1", "sha256", "sha512")]
    sigs += ["sha256:" + base64.b64encode(sign("GET", path, t).digest()).decode()]
    for sig in sigs:
        assert anonymous.get(path, query={"temp_url_sig": sig, "temp_url_expires": t}).status == 200
        # Written otherwise, refused, or sent on by a page.
        anonymous.get(path + "?temp_url_expires=%d&temp%%5furl_sig=%s" % (t, sig))
        anonymous.get(path, headers={"Referer": "http://store%s?temp_url_sig=%s&x=y" % (path, sig)})
        anonymous.put(path, b"x", query={"temp_url_sig": sig, "temp_url_expires": t})
    for user_token in c.token, token:
        assert anonymous.get(path, token=user_token).status == 200
        assert anonymous.get(path, headers={"X-Storage-Token": user_token}).status == 200
        assert anonymous.get(path, headers={"X-Service-Token": user_token}).status == 401
        anonymous.get("/v1/AUTH_test2/c/o", token=user_token)
        anonymous.get("/v3/auth/tokens", token=user_token, headers={"X-Subject-Token": user_token})
    password = "a-password-" + uuid.uuid4().hex
    anonymous.get("/auth/v1.0", headers={"X-Auth-User": "test:tester", "X-Auth-Key": password})
    anonymous.post("/v3/auth/tokens", v3_body(password=password))
    mark = "last-" + uuid.uuid4().hex
    anonymous.get("/v1/AUTH_test/" + mark)
    cluster.wait_for(lambda: mark in cluster.log(), what="the last line of the log")
    log = cluster.log()
    found = [s for s in sigs + [c.token, token] if s[20:] in log]
    found += [s for s in sigs if urllib.parse.quote(s[20:], safe="") in log]
    found += [s for s in (KEY, CONTAINER_KEY, password) if s in log]
    assert not found
    assert c.token[:16] + "..." in log and "temp_url_sig%3D" + sigs[1][:16] + "..." in log
