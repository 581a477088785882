"""Temporary URLs as users make them: the published script, `swift tempurl`, and every form."""
import base64
import hashlib
import hmac
import re
import subprocess
import time
import uuid

import pytest

KEY = "account key"
CONTAINER_KEY = "container-key"


@pytest.fixture(scope="module")
def place(cluster):
    """(client, container) with an object and keys on account and container."""
    c = cluster.client("tester")
    name = "tempurl-" + uuid.uuid4().hex[:8]
    assert c.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY,
                               "X-Account-Meta-Temp-URL-Key-2": "second"}).status == 204
    assert c.put(name, headers={"X-Container-Meta-Temp-URL-Key": CONTAINER_KEY}).status == 201
    res = c.put(name + "/dir/ob%C3%A4j", body=b"private", headers={
        "X-Object-Meta-Secret": "s", "X-Object-Meta-Public-Colour": "red"})
    assert res.status == 201
    yield c, name
    c.empty(name)
    c.post("", headers={"X-Remove-Account-Meta-Temp-URL-Key": "x",
                        "X-Remove-Account-Meta-Temp-URL-Key-2": "x"})
    c.close()


def sign(method, path, expires, key=KEY, digest="sha1", ip=None):
    text = "%s\n%d\n%s" % (method, expires, path)
    if ip:
        text = "ip=%s\n%s" % (ip, text)
    return hmac.new(key.encode(), text.encode(), digest)


def query(sig, expires, **more):
    return dict({"temp_url_sig": sig, "temp_url_expires": expires}, **more)


def soon():
    return int(time.time()) + 600


def target(c, name, obj="dir/obäj"):
    return "%s/%s/%s" % (c.account, name, obj)


def url(c, name):
    return "%s/%s/dir/ob%%C3%%A4j" % (c.account, name)


def test_published_script(place, anonymous):
    """hmac.new(key, f'{method}\\n{expires}\\n{path}', sha1).hexdigest(), as published."""
    c, name = place
    t = soon()
    sig = sign("GET", target(c, name), t).hexdigest()
    res = anonymous.get(url(c, name), query=query(sig, t))
    assert (res.status, res.body) == (200, b"private")
    assert "X-Object-Meta-Secret" not in res.headers
    assert res.headers["X-Object-Meta-Public-Colour"] == "red"
    assert res.headers["Content-Disposition"] == \
        "attachment; filename=\"ob%C3%A4j\"; filename*=UTF-8''ob%C3%A4j"
    assert res.headers["Expires"] == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(t))


def test_swift_tempurl_command(place, cluster, anonymous):
    c, name = place
    out = subprocess.run(["swift", "tempurl", "GET", "600", target(c, name), KEY],
                         capture_output=True, text=True, check=True).stdout.strip()
    res = anonymous.get(out.replace("obäj", "ob%C3%A4j"))
    assert (res.status, res.body) == (200, b"private")


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("form", ["hex", "base64", "urlsafe", "unpadded"])
def test_digests(place, anonymous, digest, form):
    c, name = place
    t = soon()
    mac = sign("GET", target(c, name), t, digest=digest)
    sig = {"hex": mac.hexdigest(),
           "base64": digest + ":" + base64.b64encode(mac.digest()).decode(),
           "urlsafe": digest + ":" + base64.urlsafe_b64encode(mac.digest()).decode(),
           "unpadded": digest + ":" + base64.b64encode(mac.digest()).decode().rstrip("=")}[form]
    assert anonymous.get(url(c, name), query=query(sig, t)).status == 200


@pytest.mark.parametrize("key", [KEY, "second", CONTAINER_KEY])
def test_keys(place, anonymous, key):
    c, name = place
    t = soon()
    sig = sign("GET", target(c, name), t, key=key).hexdigest()
    assert anonymous.get(url(c, name), query=query(sig, t)).status == 200


@pytest.mark.parametrize("signed,allowed", [("GET", 200), ("PUT", 200), ("POST", 200),
                                            ("HEAD", 200), ("DELETE", 401)])
def test_head(place, anonymous, signed, allowed):
    c, name = place
    t = soon()
    sig = sign(signed, target(c, name), t).hexdigest()
    assert anonymous.head(url(c, name), query=query(sig, t)).status == allowed


def test_put_and_delete(place, anonymous):
    c, name = place
    t = soon()
    path = "%s/%s/new" % (c.account, name)
    assert anonymous.put(path, body=b"uploaded", query=query(
        sign("PUT", path, t).hexdigest(), t)).status == 201
    assert c.get(name + "/new").body == b"uploaded"
    for header in ("X-Object-Manifest", "X-Symlink-Target"):
        res = anonymous.put(path, body=b"", headers={header: name + "/x"},
                            query=query(sign("PUT", path, t).hexdigest(), t))
        assert res.status == 400, header
    assert anonymous.delete(path, query=query(
        sign("GET", path, t).hexdigest(), t)).status == 401
    assert anonymous.delete(path, query=query(
        sign("DELETE", path, t).hexdigest(), t)).status == 204
    assert c.get(name + "/new").status == 404


def test_prefix(place, anonymous):
    c, name = place
    t = soon()
    sig = sign("GET", "prefix:%s/%s/dir/" % (c.account, name), t).hexdigest()
    assert anonymous.get(url(c, name), query=query(sig, t, temp_url_prefix="dir/")).status == 200
    assert anonymous.get(url(c, name), query=query(sig, t, temp_url_prefix="di")).status == 401
    assert c.put(name + "/other", body=b"x").status == 201
    assert anonymous.get("%s/%s/other" % (c.account, name),
                         query=query(sig, t, temp_url_prefix="dir/")).status == 401


def test_iso_expiry_and_ip(place, anonymous):
    c, name = place
    t = soon()
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    assert anonymous.get(url(c, name), query=query(
        sign("GET", target(c, name), t).hexdigest(), iso)).status == 200
    for ip, status in (("127.0.0.1", 200), ("127.0.0.0/8", 200), ("10.0.0.0/8", 401)):
        sig = sign("GET", target(c, name), t, ip=ip).hexdigest()
        assert anonymous.get(url(c, name), query=query(
            sig, t, temp_url_ip_range=ip)).status == status, ip
    sig = sign("GET", target(c, name), t, ip="127.0.0.1").hexdigest()
    assert anonymous.get(url(c, name), query=query(sig, t)).status == 401


def test_disposition(place, anonymous):
    c, name = place
    t = soon()
    sig = sign("GET", target(c, name), t).hexdigest()

    def disposition(**more):
        return anonymous.get(url(c, name), query=query(sig, t, **more)).headers[
            "Content-Disposition"]

    assert disposition(filename="a b.txt") == \
        "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"
    assert disposition(inline="") == "inline"
    assert disposition(inline="", filename="x").startswith("inline; filename=\"x\"")


def test_refusals(place, anonymous):
    c, name = place
    t = soon()
    good = sign("GET", target(c, name), t).hexdigest()
    bad = [
        query(good, t - 1), query(good, int(time.time()) - 1), query("", t), query(good, ""),
        query(good[:-1], t), query(good[:-1] + "g", t), query("md5:" + good, t),
        query(sign("PUT", target(c, name), t).hexdigest(), t),
        query(sign("GET", target(c, name), t, key="wrong").hexdigest(), t),
        query(sign("GET", target(c, name) + "x", t).hexdigest(), t),
        query(sign("GET", url(c, name), t).hexdigest(), t),
        {"temp_url_sig": good}, {"temp_url_expires": t},
    ]
    for q in bad:
        res = anonymous.get(url(c, name), query=q)
        assert res.status == 401, q
        assert res.body == b"401 Unauthorized: Temp URL invalid\n"
    # Also with a token that would do.
    assert c.get(url(c, name), query=bad[0]).status == 401
    # The container itself cannot be reached.
    sig = sign("GET", "%s/%s/" % (c.account, name), t).hexdigest()
    assert anonymous.get("%s/%s" % (c.account, name), query=query(sig, t)).status == 401


def test_scope_of_copies(place, anonymous, cluster):
    """A link may not read what its key does not cover."""
    c, name = place
    t = soon()
    other = name + "-other"
    assert c.put(other).status == 201
    assert c.put(other + "/secret", body=b"secret").status == 201
    path = "%s/%s/stolen" % (c.account, name)
    sig = sign("PUT", path, t, key=CONTAINER_KEY).hexdigest()
    res = anonymous.put(path, headers={"X-Copy-From": other + "/secret"}, query=query(sig, t))
    assert res.status == 401
    assert c.head(name + "/stolen").status == 404
    c.empty(other)


def uses(anonymous, metric, account="AUTH_test"):
    """(scope, key, result) -> how often, and the page."""
    page = anonymous.get("/metrics").text
    found = re.findall(r'^%s\{account="%s",scope="(\w+)",key="(\d)",result="(\w+)"\} (\d+)$' % (
        metric, account), page, re.M)
    return {tuple(f[:3]): int(f[3]) for f in found}, page


def test_uses_are_counted(place, anonymous):
    """By account, scope and number of the key and by result; the key itself is nowhere."""
    c, name = place
    t = soon()
    before, _ = uses(anonymous, "needletail_tempurl_requests_total")
    missing = target(c, name, "not there")
    for key, times in ((KEY, 3), ("second", 2), (CONTAINER_KEY, 4)):
        for _ in range(times):
            sig = sign("GET", target(c, name), t, key=key).hexdigest()
            assert anonymous.get(url(c, name), query=query(sig, t)).status == 200
            anonymous.close()       # whichever worker is asked
    sig = sign("GET", missing, t, key="second").hexdigest()
    assert anonymous.get(missing.replace(" ", "%20"), query=query(sig, t)).status == 404
    assert anonymous.get(url(c, name), query=query(sig, t)).status == 401
    after, page = uses(anonymous, "needletail_tempurl_requests_total")
    more = {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)}
    assert more == {("account", "1", "ok"): 3, ("account", "2", "ok"): 2,
                    ("account", "2", "client_error"): 1, ("container", "1", "ok"): 4}
    for key in KEY, CONTAINER_KEY, sig:
        assert key not in page
    refused = dict(re.findall(r'^needletail_tempurl_refused_total\{reason="(\w+)"\} (\d+)$', page,
                              re.M))
    assert set(refused) == {"malformed", "expired", "digest", "target", "address", "signature"}
    assert int(refused["signature"]) >= 1


def test_refusals_by_reason(place, anonymous):
    c, name = place
    t, late = soon(), int(time.time()) - 5

    def refused():
        page = anonymous.get("/metrics").text
        return {k: int(v) for k, v in re.findall(
            r'^needletail_tempurl_refused_total\{reason="(\w+)"\} (\d+)$', page, re.M)}

    good = sign("GET", target(c, name), t).hexdigest()
    ip = sign("GET", target(c, name), t, ip="10.0.0.0/8").hexdigest()
    for reason, q in (("malformed", query(good[:-1], t)), ("malformed", {"temp_url_sig": good}),
                      ("expired", query(good, late)), ("signature", query(good, t + 1)),
                      ("target", query(good, t, temp_url_prefix="x")),
                      ("address", query(ip, t, temp_url_ip_range="10.0.0.0/8"))):
        before = refused()
        assert anonymous.get(url(c, name), query=q).status == 401
        after = refused()
        assert {k for k in after if after[k] != before[k]} == {reason}, q


def test_signature_is_not_logged(place, anonymous, cluster):
    c, name = place
    t = soon()
    sig = sign("GET", target(c, name), t, digest="sha256").hexdigest()
    assert hashlib.sha256().digest_size * 2 == len(sig)
    assert anonymous.get(url(c, name), query=query(sig, t)).status == 200
    time.sleep(1)
    assert sig not in cluster.log()
