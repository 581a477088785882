"""Temporary URLs, upload forms, CORS and web sites as a real browser has them: Chromium with a page
of another origin than the store."""
import base64
import hashlib
import hmac
import html
import time
import urllib.parse
import uuid

import pytest

from tests.browser.chromium import Chromium, Origin

KEY = "browser key"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNg+A8AAQIBAJTGZ"
                       "b4AAAAASUVORK5CYII=")


@pytest.fixture(scope="module")
def browser():
    b = Chromium()
    yield b
    b.end()


@pytest.fixture(scope="module")
def origin():
    o = Origin()
    yield o
    o.end()


@pytest.fixture
def key(client):
    assert client.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY}).status == 204
    yield KEY
    assert client.post("", headers={"X-Remove-Account-Meta-Temp-URL-Key": "x"}).status == 204


def mac(text):
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def link(cluster, path, expires=None, **more):
    """A temporary URL for GET; path is not encoded."""
    expires = expires or int(time.time()) + 600
    query = dict({"temp_url_sig": mac("GET\n%d\n%s" % (expires, path)),
                  "temp_url_expires": expires}, **more)
    return "%s%s?%s" % (cluster.endpoint, urllib.parse.quote(path), urllib.parse.urlencode(query))


def anchors(links):
    return "".join('<p><a id="l%d" href="%s">%d</a></p>' % (i, html.escape(u), i)
                   for i, u in enumerate(links))


# Temporary URLs.

def test_download(cluster, client, container, key, browser, origin):
    """Names and bytes of downloads from a page of another origin; the page stays."""
    data = bytes(range(256)) * 4000
    path = "%s/%s/dir/" % (client.account, container)
    objects = {"plain.bin": data, "über uns – 東京.txt": b"text", "shown.html": b"<b>not run</b>",
               'quo"te%41;.txt': b"q", "empty": b""}
    for name, body in objects.items():
        assert client.put(urllib.parse.quote(container + "/dir/" + name), body).status == 201
    links = [link(cluster, path + n) for n in objects]
    links += [link(cluster, path + "plain.bin", filename="Jahresbericht für 2026.pdf"),
              link(cluster, path + "empty", filename="a+b & c.txt")]
    page = origin.page("/links", anchors(links))
    got = browser.run("download", page=page, links=["l%d" % i for i in range(len(links))])
    assert got["stayed"] == page
    # What no file may be called Chromium replaces by itself.
    names = ["plain.bin", "über uns – 東京.txt", "shown.html", "quo_te%41;.txt", "empty",
             "Jahresbericht für 2026.pdf", "a+b & c.txt"]
    bodies = list(objects.values()) + [data, b""]
    assert [d["name"] for d in got["downloads"]] == names
    assert [base64.b64decode(d["bytes"]) for d in got["downloads"]] == bodies


def test_inline(cluster, client, container, key, browser, origin):
    """With inline the browser shows it; without a good signature it shows the refusal."""
    path = "%s/%s/page.html" % (client.account, container)
    body = "<title>Grüße</title><p>private page"
    assert client.put(container + "/page.html", body, headers={
        "Content-Type": "text/html; charset=utf-8"}).status == 201
    page = origin.page("/inline", anchors([
        link(cluster, path, inline=""), link(cluster, path, expires=int(time.time()) - 10)]))
    got = browser.run("show", page=page, link="l0")
    assert (got["status"], got["title"], got["text"]) == (200, "Grüße", "private page")
    got = browser.run("show", page=page, link="l1")
    assert (got["status"], got["text"].strip()) == (401, "401 Unauthorized: Temp URL invalid")


# Forms.

def form(cluster, path, redirect="", size=1 << 20, count=5, expires=None, **more):
    expires = expires or int(time.time()) + 600
    fields = {"redirect": redirect, "max_file_size": size, "max_file_count": count,
              "expires": expires, "signature": mac("%s\n%s\n%d\n%d\n%d" % (
                  path, redirect, size, count, expires))}
    fields.update(more)
    if not redirect:
        del fields["redirect"]
    return [[k, str(v)] for k, v in fields.items()]


def form_page(cluster, path, fields):
    return '<form action="%s%s" method="POST" enctype="multipart/form-data">%s' \
        '<input type="file" name="f" id="files" multiple><input type="submit" id="send"></form>' \
        % (cluster.endpoint, urllib.parse.quote(path),
           "".join('<input type="hidden" name="%s" value="%s">' % (k, html.escape(v))
                   for k, v in fields))


def file(name, data, kind="text/plain"):
    return {"name": name, "type": kind, "bytes": base64.b64encode(data).decode()}


FILES = {"one.txt": (b"one\r\n", "text/plain"),
         "größe 2.bin": (bytes(range(256)) * 2000, "image/x"),
         "semi;colon & more.txt": (b"--\r\n--", "text/plain"), "empty.txt": (b"", "text/plain")}


def test_upload(cluster, client, container, key, browser, origin):
    """Several files; the browser is sent on and learns how it went from the query."""
    path = "%s/%s/from browser/" % (client.account, container)
    done = origin.page("/done", "thank you")
    page = origin.page("/upload", form_page(cluster, path, form(
        cluster, path, redirect=done + "?who=me", x_delete_after=1000)))
    got = browser.run("upload", page=page, files=[file(n, *v) for n, v in FILES.items()])
    url = urllib.parse.urlsplit(got["url"])
    assert (url.path, got["status"], got["text"]) == ("/done", 200, "thank you")
    assert urllib.parse.parse_qs(url.query, keep_blank_values=True) == {
        "who": ["me"], "status": ["201"], "message": [""]}
    assert set(client.list(container)) == {"from browser/" + n for n in FILES}
    for name, (data, kind) in FILES.items():
        res = client.get(urllib.parse.quote(container + "/from browser/" + name))
        assert res.body == data
        assert res.headers["Content-Type"] == kind and "X-Delete-At" in res.headers


def test_refused_uploads(cluster, client, container, key, browser, origin):
    path = "%s/%s/" % (client.account, container)
    done = origin.page("/failed", "sorry")
    files = [file("1", b"1"), file("2", b"2" * 100)]
    page = origin.page("/many", form_page(cluster, path, form(cluster, path, done, count=1)))
    got = browser.run("upload", page=page, files=files)
    url = urllib.parse.urlsplit(got["url"])
    assert url.path == "/failed"
    assert dict(urllib.parse.parse_qsl(url.query)) == {
        "status": "400", "message": "max file count exceeded"}
    page = origin.page("/large", form_page(cluster, path, form(cluster, path, done, size=99)))
    got = browser.run("upload", page=page, files=files)
    assert (got["status"], got["text"]) == (400, "FormPost: max_file_size exceeded")
    late = int(time.time()) - 10
    page = origin.page("/late", form_page(cluster, path, form(cluster, path, done, expires=late)))
    got = browser.run("upload", page=page, files=files)
    assert (got["status"], got["text"]) == (401, "FormPost: Form Expired")
    assert client.list(container) == ["1"]


# CORS.

def fetch(url, method="GET", **more):
    return dict({"url": url, "method": method}, **more)


@pytest.fixture
def shared(client, container, origin):
    """A container that pages of origin may read and, with a token, write."""
    assert client.post(container, headers={
        "X-Container-Read": ".r:*,.rlistings",
        "X-Container-Meta-Access-Control-Allow-Origin": origin.url(""),
        "X-Container-Meta-Access-Control-Expose-Headers": "accept-ranges"}).status == 204
    assert client.put(container + "/o", b"hello", headers={
        "X-Object-Meta-Colour": "red", "Content-Type": "text/x-mine",
        "X-Delete-After": "1000"}).status == 201
    return container


def test_cors(cluster, client, shared, browser, origin):
    """Listing and object by fetch, with what the script may see of the headers; a write that the
    browser first asks about."""
    url = "%s%s/%s" % (cluster.endpoint, client.account, shared)
    token = {"X-Auth-Token": client.token, "X-Object-Meta-From": "browser"}
    got = browser.run("request", page=origin.page("/script", "hi"), requests=[
        fetch(url + "?format=json"), fetch(url + "/o"), fetch(url + "/o", "HEAD"),
        fetch(url + "/missing"), fetch(url + "/new", "PUT", headers=token, body="written"),
        fetch(url + "/new", "POST", headers=dict(token, **{"X-Object-Meta-From": "again"})),
        fetch(url + "/new"), fetch(url + "/new", "DELETE", headers=token), fetch(url + "/new"),
        fetch(url + "/o", "PUT", headers={"X-Auth-Token": "wrong"}, body="x")])
    assert [r.get("status") for r in got] == [200, 200, 200, 404, 201, 202, 200, 204, 404, 401]
    listing, one = got[:2]
    assert '"name": "o"' in listing["body"]
    assert one["body"] == "hello"
    seen = one["headers"]
    assert seen["etag"] == hashlib.md5(b"hello").hexdigest()
    assert seen["content-type"] == "text/x-mine" and seen["x-object-meta-colour"] == "red"
    assert set(seen) >= {"last-modified", "x-timestamp", "x-trans-id", "x-openstack-request-id",
                         "accept-ranges"}
    assert not set(seen) & {"x-delete-at", "access-control-allow-origin", "date", "vary"}
    assert got[6]["body"] == "written" and got[6]["headers"]["x-object-meta-from"] == "again"


def test_cors_says_no(cluster, client, shared, browser, origin):
    """A page of another origin reads nothing, and its writes are not even sent; neither are
    methods that there are not."""
    url = "%s%s/%s" % (cluster.endpoint, client.account, shared)
    token = {"X-Auth-Token": client.token}
    origin.page("/script", "hi")
    requests = [fetch(url + "?format=json"), fetch(url + "/o"),
                fetch(url + "/evil", "PUT", headers=token, body="x"),
                fetch(url + "/o", "DELETE", headers=token)]
    refused = [{"error": "TypeError"}] * len(requests)
    other = origin.url("/script", host="localhost")
    assert browser.run("request", page=other, requests=requests) == refused
    assert client.list(shared) == ["o"]
    # The allowed origin, too, where there is nothing to allow: a method, an account.
    mine = origin.url("/script")
    account = cluster.endpoint + client.account
    assert browser.run("request", page=mine, requests=[
        fetch(url + "/o", "PATCH", headers=token, body="x"),
        fetch(account + "?format=json"), fetch(account, "POST", headers=token)]) == refused[:3]
    # What is not exposed is not seen, and after the owner's change of mind nothing is.
    got = browser.run("request", page=mine, requests=[fetch(url + "/o")])
    assert got[0]["status"] == 200 and "x-delete-at" not in got[0]["headers"]
    assert client.post(shared, headers={
        "X-Remove-Container-Meta-Access-Control-Allow-Origin": "x"}).status == 204
    assert browser.run("request", page=mine, requests=[
        fetch(url + "/o"), fetch(url + "/evil", "PUT", headers=token, body="x")]) == refused[:2]
    assert client.list(shared) == ["o"]


def test_cors_for_everybody(cluster, client, shared, browser, origin):
    assert client.post(shared, headers={
        "X-Container-Meta-Access-Control-Allow-Origin": "*"}).status == 204
    url = "%s%s/%s/o" % (cluster.endpoint, client.account, shared)
    origin.page("/script", "hi")
    for host in "127.0.0.1", "localhost":
        got = browser.run("request", page=origin.url("/script", host), requests=[
            fetch(url), fetch(url, headers={"X-Auth-Token": client.token, "Range": "bytes=1-2"})])
        assert [r["body"] for r in got] == ["hello", "el"]


def test_form_by_script(cluster, client, shared, key, browser, origin):
    """A script posts a form and reads the answer, since the headers of the PUT are kept."""
    path = "%s/%s/" % (client.account, shared)
    got = browser.run("request", page=origin.page("/script", "hi"), requests=[
        fetch(cluster.endpoint + path, "POST", fields=form(cluster, path),
              files=[["s1.txt", "first"], ["s2.txt", "second"]])])
    assert (got[0]["status"], got[0]["body"]) == (201, "201 Created")
    assert client.get(shared + "/s2.txt").body == b"second"


# Static web.

def test_site(cluster, client, container, browser):
    """Index, listing with the site's style, folders by their links, the page for errors."""
    assert client.post(container, headers={
        "X-Container-Read": ".r:*,.rlistings", "X-Container-Meta-Web-Index": "index.html",
        "X-Container-Meta-Web-Listings": "true", "X-Container-Meta-Web-Listings-CSS": "look.css",
        "X-Container-Meta-Web-Error": "error.html"}).status == 204
    objects = {
        "index.html": "<title>Home</title><body>welcome <img src='pic.png'>"
                      "<a href='docs/'>docs</a>",
        "404error.html": "<title>Lost</title><body>no such page here",
        "look.css": "body { background-color: rgb(1, 2, 3) }",
        "docs/read me ü.txt": "read", "docs/deep/file.txt": "file", "docs/look.css": "",
    }
    for name, text in objects.items():
        kind = {"html": "text/html; charset=utf-8", "css": "text/css", "txt": "text/plain"}[
            name.rpartition(".")[2]]
        assert client.put(urllib.parse.quote(container + "/" + name), text.encode(), headers={
            "Content-Type": kind}).status == 201
    assert client.put(container + "/pic.png", PNG, headers={
        "Content-Type": "image/png"}).status == 201
    url = "%s%s/%s" % (cluster.endpoint, client.account, container)
    home, listing, deep, lost = browser.run("walk", steps=[
        {"open": url}, {"click": "docs"}, {"click": "deep/"}, {"open": url + "/nowhere"}])
    assert (home["url"], home["status"], home["title"]) == (url + "/", 200, "Home")
    assert "welcome" in home["text"] and home["images"] == [2]
    assert listing["url"] == url + "/docs/" and listing["status"] == 200
    assert listing["background"] == "rgb(1, 2, 3)"
    assert listing["links"] == ["../", "deep/", "look.css", "read me ü.txt"]
    assert deep["url"] == url + "/docs/deep/" and "file.txt" in deep["links"]
    assert (lost["status"], lost["title"], lost["text"]) == (404, "Lost", "no such page here")
    walk = browser.run("walk", steps=[{"open": url + "/docs/"}, {"click": "read me ü.txt"}])
    assert (walk[1]["status"], walk[1]["text"]) == (200, "read")
