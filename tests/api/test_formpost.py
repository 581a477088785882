"""FormPost: signed browser forms that become PUTs."""
import hashlib
import hmac
import http.client
import re
import time
import urllib.parse
import uuid

import base64
import pytest

KEY = "form account key"
CONTAINER_KEY = "form container key"
BOUNDARY = "----WebKitFormBoundaryNcxTqxSlX7t4TDkR"


@pytest.fixture(scope="module")
def place(cluster):
    """(client, container) with keys on both."""
    c = cluster.client("tester")
    name = "form-" + uuid.uuid4().hex[:8]
    assert c.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY,
                               "X-Account-Meta-Temp-URL-Key-2": "second"}).status == 204
    assert c.put(name, headers={"X-Container-Meta-Temp-URL-Key": CONTAINER_KEY}).status == 201
    yield c, name
    c.empty(name)
    c.post("", headers={"X-Remove-Account-Meta-Temp-URL-Key": "x",
                        "X-Remove-Account-Meta-Temp-URL-Key-2": "x"})
    c.close()


def sign(path, redirect="", size=1000, count=2, expires=None, key=KEY, digest="sha256"):
    text = "%s\n%s\n%s\n%s\n%s" % (path, redirect, size, count, expires)
    return hmac.new(key.encode(), text.encode(), digest)


def fields(path, redirect=None, size=1000, count=2, expires=None, key=KEY, digest="sha256", **more):
    expires = int(time.time()) + 600 if expires is None else expires
    out = {} if redirect is None else {"redirect": redirect}
    out.update({"max_file_size": size, "max_file_count": count, "expires": expires,
                "signature": sign(path, redirect or "", size, count, expires, key,
                                  digest).hexdigest()})
    out.update(more)
    return out


def form(values, files, boundary=BOUNDARY, end=True):
    """files: (filename, bytes[, more head lines])"""
    b = boundary.encode()
    out = b""
    for k, v in values.items():
        out += b"--" + b + b"\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n" % (
            k.encode(), str(v).encode())
    for i, f in enumerate(files):
        head = "Content-Disposition: form-data; name=\"file%d\"; filename=\"%s\"\r\n" % (i, f[0])
        head += f[2] if len(f) > 2 else "Content-Type: text/plain\r\n"
        out += b"--" + b + b"\r\n" + head.encode() + b"\r\n" + f[1] + b"\r\n"
    return out + (b"--" + b + b"--\r\n" if end else b"")


def post(anonymous, path, body, headers=None, boundary=BOUNDARY):
    h = {"Content-Type": "multipart/form-data; boundary=" + boundary}
    h.update(headers or {})
    return anonymous.request("POST", urllib.parse.quote(path), body=body, headers=h)


FILES = [("file1.txt", b"Test File\nOne\n"), ("file 2.txt", b"Test\r\nFile\r\n--Two\r\n")]


def test_upload(place, anonymous):
    c, name = place
    path = "%s/%s/pre/fix " % (c.account, name)
    res = post(anonymous, path, form(fields(path), FILES))
    assert (res.status, res.body) == (201, b"201 Created")
    assert res.headers["Content-Type"] == "text/plain"
    got = c.get(name + "/pre/fix%20file1.txt")
    assert (got.body, got.headers["Content-Type"]) == (FILES[0][1], "text/plain")
    assert c.get(name + "/pre/fix%20file%202.txt").body == FILES[1][1]


@pytest.mark.parametrize("slash", ["", "/"])
def test_container_alone(place, anonymous, slash):
    c, name = place
    path = "%s/%s%s" % (c.account, name, slash)
    res = post(anonymous, path, form(fields(path), [("röot%s" % bool(slash), b"x")]))
    assert res.status == 201
    assert c.get(name + "/r%%C3%%B6ot%s" % bool(slash)).body == b"x"


@pytest.mark.parametrize("key", [KEY, "second", CONTAINER_KEY])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_keys_and_digests(place, anonymous, key, digest):
    c, name = place
    path = "%s/%s/" % (c.account, name)
    f = fields(path, key=key, digest=digest)
    assert post(anonymous, path, form(f, [("k", b"x")])).status == 201
    h = sign(path, expires=f["expires"], key=key, digest=digest).digest()
    f["signature"] = digest + ":" + base64.urlsafe_b64encode(h).decode()
    assert post(anonymous, path, form(f, [("k", b"x")])).status == 201


def test_redirect(place, anonymous):
    c, name = place
    path = "%s/%s/r" % (c.account, name)
    to = "http://redirect.example/a?b=<c>"
    res = post(anonymous, path, form(fields(path, redirect=to), FILES))
    assert res.status == 303 and res.headers["Location"] == to + "&status=201&message="
    assert b"&lt;c&gt;&amp;status=201" in res.body and b"Click to continue..." in res.body
    res = post(anonymous, path, form(fields(path, redirect="http://h/", count=1), FILES))
    assert res.status == 303
    assert res.headers["Location"] == \
        "http://h/?status=400&message=max%20file%20count%20exceeded"
    res = post(anonymous, path, form(fields(path, redirect="http://h/"), []))
    assert res.headers["Location"] == "http://h/?status=400&message=no%20files%20to%20process"


def test_nobody_is_sent_away_unsigned(place, anonymous):
    c, name = place
    path = "%s/%s/r" % (c.account, name)
    for files, status in ([], 400), (FILES, 401):
        f = fields(path, redirect="http://h/", key="wrong")
        res = post(anonymous, path, form(f, files))
        assert res.status == status and "Location" not in res.headers
    # A redirect behind the files does not count.
    body = form(fields(path), FILES, end=False) + form({"redirect": "http://evil/"}, [])
    res = post(anonymous, path, body)
    assert res.status == 201 and "Location" not in res.headers


def test_no_response_splitting(place, anonymous):
    c, name = place
    path = "%s/%s/r" % (c.account, name)
    res = post(anonymous, path, form(fields(path, redirect="http://h/\r\nX-Evil: 1"), FILES))
    assert "X-Evil" not in res.headers and "Location" not in res.headers


def test_too_many_files(place, anonymous):
    c, name = place
    path = "%s/%s/many-" % (c.account, name)
    res = post(anonymous, path, form(fields(path, count=1), FILES))
    assert (res.status, res.body) == (400, b"400 Bad Request\r\nFormPost: Max File Count Exceeded")
    assert c.head(name + "/many-file1.txt").status == 200       # stored before the limit
    assert c.head(name + "/many-file%202.txt").status == 404


@pytest.mark.parametrize("redirect", [None, "http://h/"])
def test_too_large(place, anonymous, redirect):
    c, name = place
    path = "%s/%s/large-" % (c.account, name)
    exact = fields(path, size=10, redirect=redirect)
    res = post(anonymous, path, form(exact, [("ok", b"x" * 10)]))
    assert res.status == (303 if redirect else 201)
    res = post(anonymous, path, form(exact, [("no", b"x" * 11)]))
    assert (res.status, res.body) == (400, b"FormPost: max_file_size exceeded")
    res = post(anonymous, path, form(exact, [("no", b"x" * 1000000)]))
    assert res.status == 400 and c.head(name + "/large-no").status == 404


@pytest.mark.parametrize("change", [
    {"signature": ""}, {"signature": "0" * 64}, {"signature": "nonsense"}, {"max_file_size": 1001},
    {"max_file_count": 3}, {"redirect": "http://x/"}, {"expires": int(time.time()) + 3600}])
def test_bad_signature(place, anonymous, change):
    c, name = place
    path = "%s/%s/bad-" % (c.account, name)
    f = dict(fields(path), **change)
    res = post(anonymous, path, form(f, FILES))
    assert (res.status, res.body) == (401, b"FormPost: Invalid Signature")
    assert res.headers["Www-Authenticate"] == 'Swift realm="AUTH_test"'
    assert res.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert c.head(name + "/bad-file1.txt").status == 404
    del f["signature"]
    assert post(anonymous, path, form(f, FILES)).status == 401


def test_other_path_or_key(place, anonymous, cluster):
    c, name = place
    path = "%s/%s/p-" % (c.account, name)
    assert post(anonymous, path + "x", form(fields(path), FILES)).status == 401
    assert post(anonymous, path, form(fields(path, key="no"), FILES)).status == 401
    assert post(anonymous, c.account, form(fields(c.account), FILES)).status == 401
    other = "/v1/AUTH_test2/c/"
    assert post(anonymous, other, form(fields(other), FILES)).status == 401


def test_expired(place, anonymous):
    c, name = place
    path = "%s/%s/e" % (c.account, name)
    res = post(anonymous, path, form(fields(path, expires=int(time.time()) - 5), FILES))
    assert (res.status, res.body) == (401, b"FormPost: Form Expired")


@pytest.mark.parametrize("name_,words", [
    ("max_file_size", b"max_file_size not an integer"), ("expires", b"expired not an integer"),
    ("max_file_count", b"max_file_count not an integer"),
    ("x_delete_at", b"x_delete_at not an integer: Unix timestamp required."),
    ("x_delete_after", b"x_delete_after not an integer: Number of seconds required.")])
def test_not_integers(place, anonymous, name_, words):
    c, name = place
    path = "%s/%s/i" % (c.account, name)
    res = post(anonymous, path, form(dict(fields(path), **{name_: "abc"}), FILES))
    assert (res.status, res.body) == (400, b"FormPost: " + words)


def test_no_files(place, anonymous):
    c, name = place
    path = "%s/%s/n" % (c.account, name)
    for files in [], [("", b"")]:
        res = post(anonymous, path, form(fields(path), files))
        assert (res.status, res.body) == (400, b"400 Bad Request\r\nFormPost: No Files To Process")


def test_attributes(place, anonymous):
    c, name = place
    path = "%s/%s/a-" % (c.account, name)
    f = fields(path, x_delete_after=1000)
    f["content-type"] = "image/x"
    f["content-encoding"] = "gzip"
    assert post(anonymous, path, form(f, [("1", b"x")])).status == 201
    res = c.head(name + "/a-1")
    assert res.headers["Content-Type"] == "image/x" and "X-Delete-At" in res.headers
    assert res.headers["Content-Encoding"] == "gzip"
    at = int(time.time()) + 5000
    f = fields(path, x_delete_at=at)
    head = "Content-Type: text/x-own\r\nContent-Encoding: br\r\n"
    files = [("2", b"x", head), ("guess.html", b"y", "")]
    assert post(anonymous, path, form(f, files)).status == 201
    res = c.head(name + "/a-2")
    assert (res.headers["Content-Type"], res.headers["Content-Encoding"],
            res.headers["X-Delete-At"]) == ("text/x-own", "br", str(at))
    assert c.head(name + "/a-guess.html").headers["Content-Type"] == "text/html"


def test_uses_are_counted(place, anonymous):
    """Each file, by the key that the form is signed with."""
    c, name = place
    path = "%s/%s/counted-" % (c.account, name)

    def counts():
        page = anonymous.get("/metrics").text
        return {(s, k, r): int(n) for s, k, r, n in re.findall(
            r'^needletail_formpost_files_total\{account="AUTH_test",scope="(\w+)",key="(\d)",'
            r'result="(\w+)"\} (\d+)$', page, re.M)}

    before = counts()
    assert post(anonymous, path, form(fields(path), FILES)).status == 201
    assert post(anonymous, path, form(fields(path, key=CONTAINER_KEY), FILES[:1])).status == 201
    assert post(anonymous, path, form(fields(path, key="second", size=1), FILES)).status == 400
    assert post(anonymous, path, form(fields(path, key="wrong"), FILES)).status == 401
    after = counts()
    assert {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)} == {
        ("account", "1", "ok"): 2, ("container", "1", "ok"): 1, ("account", "2", "client_error"): 1}


def test_failing_put_is_passed_on(place, anonymous):
    c, name = place
    path = "%s/form-none-%s/x" % (c.account, uuid.uuid4().hex)
    res = post(anonymous, path, form(fields(path), FILES))
    assert (res.status, res.body) == (404, b"404 Not Found")
    path = "%s/%s/" % (c.account, name)
    res = post(anonymous, path, form(fields(path, redirect="http://h/"), [("n" * 1025, b"x")]))
    assert res.headers["Location"] == "http://h/?status=400&message="
    body = form(fields(path), [("FF", b"x")]).replace(b'"FF"', b'"\xff"')
    assert post(anonymous, path, body).status == 412


def test_cors_headers_are_kept(place, anonymous):
    c, name = place
    path = "%s/%s/cors" % (c.account, name)
    assert c.post(name, headers={
        "X-Container-Meta-Access-Control-Allow-Origin": "http://page.example"}).status == 204
    res = post(anonymous, path, form(fields(path), FILES), {"Origin": "http://page.example"})
    assert res.status == 201
    assert res.headers["Access-Control-Allow-Origin"] == "http://page.example"


def test_values_are_cut(place, anonymous):
    c, name = place
    path = "%s/%s/cut" % (c.account, name)
    to = "http://h/" + "x" * 5000
    f = fields(path, redirect=to[:4096])
    f["redirect"] = to
    res = post(anonymous, path, form(f, FILES))
    assert res.status == 303 and res.headers["Location"].startswith(to[:4096] + "?status=201")


@pytest.mark.parametrize("body", [
    b"", b"junk", b"--" + BOUNDARY.encode(), b"--" + BOUNDARY.encode() + b"--\r\n",
    b"--other\r\n\r\nx\r\n--other--\r\n"])
def test_bad_beginning(place, anonymous, body):
    c, name = place
    res = post(anonymous, "%s/%s/" % (c.account, name), body)
    assert (res.status, res.body) == (400, b"FormPost: invalid starting boundary")


def test_bad_boundary(place, anonymous):
    c, name = place
    path = "%s/%s/" % (c.account, name)
    for kind in "multipart/form-data", "multipart/form-data; boundary=", \
            "multipart/form-data; boundary=" + "b" * 500:
        res = post(anonymous, path, form(fields(path), FILES), {"Content-Type": kind})
        assert (res.status, res.body) == (400, b"FormPost: invalid starting boundary")
    res = post(anonymous, path, form(fields(path), FILES, "a b"),
               {"Content-Type": 'multipart/form-data; charset=x; boundary="a b"'})
    assert res.status == 201
    res = post(anonymous, path, form(fields(path), FILES), {"Content-Type": "text/plain"})
    assert res.status == 401        # not a form: an ordinary POST without a token


def test_ends_too_early(place, anonymous):
    c, name = place
    path = "%s/%s/early-" % (c.account, name)
    whole = form(fields(path), [("one", b"x" * 500)])
    for n in len(whole) - 4, len(whole) - 100, len(whole) - 560, 100:
        res = post(anonymous, path, whole[:n])
        assert (res.status, res.body) == (400, b"FormPost: the form ends within a part"), n
    assert c.head(name + "/early-one").status == 404


def test_in_pieces(place, anonymous):
    """Delimiters that are cut anywhere, and bytes that look like one."""
    c, name = place
    path = "%s/%s/pieces-" % (c.account, name)
    b = b"\r\n--" + BOUNDARY.encode()
    data = b + b"X\r\n-\r\n--\r\r\n" * 3 + b[:-1]
    body = form(fields(path), [("a", data), ("b", data[::-1])])
    res = post(anonymous, path, (body[i:i + 1] for i in range(len(body))))
    assert res.status == 201, res
    assert c.get(name + "/pieces-a").body == data and c.get(name + "/pieces-b").body == data[::-1]


def test_large_file(place, anonymous):
    c, name = place
    path = "%s/%s/big" % (c.account, name)
    data = bytes(range(256)) * 20000
    res = post(anonymous, path, form(fields(path, size=len(data)), [("", b""), ("a", data)]))
    assert res.status == 201
    assert hashlib.md5(c.get(name + "/biga").body).digest() == hashlib.md5(data).digest()


def refused_early(anonymous, path, pieces):
    """Sends without end until the server has had enough: the status it answered."""
    conn = http.client.HTTPConnection(anonymous.host, anonymous.port, timeout=30)
    conn.putrequest("POST", path)
    conn.putheader("Content-Type", "multipart/form-data; boundary=" + BOUNDARY)
    conn.putheader("Transfer-Encoding", "chunked")
    conn.endheaders()
    try:
        for p in pieces:
            conn.send(b"%x\r\n%s\r\n" % (len(p), p))
    except OSError:
        pass
    try:
        return conn.getresponse().status
    except OSError:
        return None
    finally:
        conn.close()


def test_never_ending(place, anonymous):
    """A million fields, a head or a field without end, a file without end: refused early."""
    c, name = place
    path = "%s/%s/" % (c.account, name)
    b = b"--" + BOUNDARY.encode() + b"\r\n"
    field = b + b"Content-Disposition: form-data; name=\"f\"\r\n\r\nv\r\n"
    head = b + b"Content-Disposition: form-data; name=\"f\"\r\n"
    cases = [
        (field * 100 for _ in range(10000)),
        [head] + [b"X-H: %s\r\n" % (b"v" * 1000)] * 10000,
        [head + b"\r\n"] + [b"v" * 10000] * 10000,
        [form(fields(path), [("f", b"x")], end=False)[:-2]] + [b"v" * 10000] * 10000,
    ]
    for pieces in cases:
        assert refused_early(anonymous, path, pieces) in (400, None)
    assert post(anonymous, path, form({"f%d" % i: i for i in range(1001)}, [])).status == 400
    assert c.head(name + "/f").status == 404


def test_info(client):
    assert client.get("/info").json["formpost"] == {
        "allowed_digests": ["sha1", "sha256", "sha512"], "deprecated_digests": ["sha1"]}
