"""Static web: containers as sites."""
import hashlib
import hmac
import html.parser
import time
import uuid

import pytest

from tests.harness import swift

KEY = "static web key"


def make(c, acl=".r:*,.rlistings", objects=(), **web):
    """A new container; index="x" sets X-Container-Meta-Web-Index."""
    name = "web-" + uuid.uuid4().hex[:10]
    headers = {"X-Container-Read": acl}
    for k, v in web.items():
        headers["X-Container-Meta-Web-" + k.replace("_", "-").title()] = v
    assert c.put(name, headers=headers).status == 201
    for obj in objects:
        assert c.put("%s/%s" % (name, swift.quote(obj)), body=("<" + obj + ">").encode(),
                     headers={"Content-Type": "text/html"}).status == 201
    return name


@pytest.fixture
def site(client):
    """site(**settings): (a function that makes URLs, the name); removed afterwards."""
    names = []

    def new(**kw):
        names.append(make(client, **kw))
        return lambda rest="": "%s/%s%s" % (client.account, names[-1], rest)

    yield new
    for n in names:
        client.empty(n)


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.rows = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "a":
            self.links.append(attrs["href"])
        if tag == "tr":
            self.rows.append(attrs.get("class") or attrs.get("id"))


def test_index(site, anonymous, cluster):
    url = site(index="index.html", objects=["index.html", "sub/index.html", "sub/page", "other"])
    res = anonymous.get(url())
    assert res.status == 301
    assert res.headers["Location"] == cluster.endpoint + url("/")
    res = anonymous.get(url("/"))
    assert (res.status, res.body) == (200, b"<index.html>")
    assert anonymous.head(url("/")).headers["Content-Length"] == "12"
    res = anonymous.get(url("/sub"))
    assert (res.status, res.headers["Location"]) == (301, cluster.endpoint + url("/sub/"))
    assert anonymous.get(url("/sub/")).body == b"<sub/index.html>"
    assert anonymous.get(url("/sub/page")).body == b"<sub/page>"
    assert anonymous.get(url("/none")).status == 404
    res = anonymous.get(url("/other/"))
    assert res.status == 404 and b"Web Listing Disabled" in res.body


def test_index_ranges_and_conditions(site, anonymous):
    url = site(index="index.html", objects=["index.html"])
    res = anonymous.get(url("/"), headers={"Range": "bytes=1-5"})
    assert (res.status, res.body) == (206, b"index")
    etag = anonymous.get(url("/")).headers["ETag"]
    res = anonymous.get(url("/"), headers={"If-None-Match": etag})
    assert res.status == 304
    assert anonymous.get(url("/"), headers={"If-None-Match": '"x"'}).status == 200


def test_listing(site, anonymous, client):
    url = site(listings="true", objects=["a.html", "dir/b", "dir/deep/c", "z&<>\"'ä"])
    page = anonymous.get(url("/"))
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=UTF-8"
    label = url("/")
    assert "<title>Listing of %s</title>" % label in page.text
    assert '<h1 id="title">Listing of %s</h1>' % label in page.text
    assert page.text.startswith('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN"')
    links = Links(page.text)
    assert links.links == ["dir/", "a.html", "z%26%3C%3E%22%27%C3%A4"]
    assert links.rows == ["heading", "item subdir", "item type-text type-html",
                          "item type-text type-html"]
    assert "z&amp;&lt;&gt;&quot;&#x27;ä</a>" in page.text
    assert '<td class="colsize">8</td>' in page.text
    assert client.get("").status == 200
    page = anonymous.get(url("/dir/"))
    links = Links(page.text)
    assert links.links == ["../", "deep/", "b"]
    assert links.rows[1] == "item" and 'id="parent"' in page.text
    assert anonymous.get(url()).status == 301
    assert anonymous.get(url("/dir")).status == 301
    assert anonymous.get(url("/dir/deep")).headers["Location"].endswith("/dir/deep/")
    assert anonymous.get(url("/none/")).status == 404
    assert anonymous.get(url("/none")).status == 404
    length = len(anonymous.get(url("/")).body)
    assert anonymous.head(url("/")).headers["Content-Length"] == str(length)


def test_dates_and_sizes(site, anonymous, client):
    url = site(listings="on")
    c = url("").split("/")[-1]
    for n, size in ("k", 1024), ("big", 1536 * 1024), ("none", 0):
        assert client.put("%s/%s" % (c, n), body=b"x" * size).status == 201
    page = anonymous.get(url("/")).text
    for text in "1Ki", "2Mi", "0":
        assert '<td class="colsize">%s</td>' % text in page
    date = client.get(c, query="format=json").json[0]["last_modified"]
    assert '<td class="coldate">%s</td>' % date.split(".")[0].replace("T", " ") in page


def test_style_and_label(site, anonymous):
    url = site(listings="yes", listings_css="styles/a b.css", listings_label="example.com",
               objects=["x/y/z"])
    page = anonymous.get(url("/x/y/")).text
    assert '<link rel="stylesheet" type="text/css" href="../../styles/a%20b.css" />' in page
    assert "<title>Listing of example.com/x/y/</title>" in page and "<style" not in page
    url = site(listings="yes", listings_css="https://h/x.css", objects=["x"])
    assert 'href="https://h/x.css"' in anonymous.get(url("/")).text
    url = site(listings="yes", listings_css="/v1/a/c.css", objects=["x/y"])
    assert 'href="/v1/a/c.css"' in anonymous.get(url("/x/")).text


def test_nothing_is_let_through(site, anonymous):
    """Whatever an owner or uploader wrote, the page's markup stays ours."""
    evil = "\"><script>alert('1')</script>"
    url = site(listings="yes", listings_css=evil, listings_label=evil, objects=[evil])
    page = anonymous.get(url("/")).text
    assert "<script" not in page
    url = site(index=evil)
    res = anonymous.get(url("/"))
    assert res.status == 404 and "<script" not in res.text and "&lt;script&gt;" in res.text


def test_listings_disabled(site, anonymous):
    url = site(listings="no", index="i.html", objects=["dir/x"])
    res = anonymous.get(url("/"))
    assert res.status == 404 and "<h1>Web Listing Disabled</h1>" in res.text
    assert "<b>X-Container-Meta-Web-Index: i.html</b>" in res.text
    assert res.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_index_or_listing(site, anonymous):
    url = site(listings="yes", index="i.html", objects=["dir/x", "dir2/i.html"])
    assert Links(anonymous.get(url("/")).text).links == ["dir/", "dir2/"]
    assert Links(anonymous.get(url("/dir/")).text).links == ["../", "x"]
    assert anonymous.get(url("/dir2/")).body == b"<dir2/i.html>"


def test_error_pages(site, anonymous):
    url = site(index="i.html", error="error.html", objects=["404error.html", "401error.html"])
    res = anonymous.get(url("/none"))
    assert (res.status, res.body) == (404, b"<404error.html>")
    assert res.headers["Content-Type"] == "text/html"
    assert anonymous.get(url("/")).body == b"<404error.html>"
    assert anonymous.get(url("/none/")).body == b"<404error.html>"
    url = site(acl=".r:*", error="error.html", listings="yes", objects=["401error.html", "d/o"])
    res = anonymous.get(url("/"))
    assert (res.status, res.body) == (401, b"<401error.html>")
    assert anonymous.get(url("/d/")).status == 401
    assert anonymous.get(url("/d")).status == 404
    url = site(index="i.html", error="missing.html")
    res = anonymous.get(url("/none"))
    assert res.status == 404 and b"The resource could not be found." in res.body


def test_directory_markers(site, anonymous, client):
    url = site(listings="yes", objects=["dir/x", "text/x"])
    c = url("").split("/")[-1]
    for n, kind in ("dir", "application/directory"), ("text", "text/directory"):
        assert client.put(c + "/" + n, body=b"", headers={"Content-Type": kind}).status == 201
    assert anonymous.get(url("/dir")).status == 301
    assert anonymous.get(url("/text")).status == 200
    assert client.post(c, headers={
        "X-Container-Meta-Web-Directory-Type": "text/directory"}).status == 204
    assert anonymous.get(url("/dir")).status == 200
    assert anonymous.get(url("/text")).status == 301


def test_private(site, anonymous):
    url = site(acl="", index="i.html", listings="yes", objects=["i.html"])
    for rest in "", "/", "/i.html", "/none", "/dir/":
        assert anonymous.get(url(rest)).status == 401, rest
    assert anonymous.get("%s-none/" % url()).status == 401


def test_not_a_site(site, anonymous):
    url = site(objects=["a", "b/c"])
    res = anonymous.get(url())
    assert (res.status, res.lines) == (200, ["a", "b/c"])
    assert anonymous.get(url("/")).lines == ["a", "b/c"]
    assert anonymous.get(url("/b")).status == 404
    assert anonymous.get(url("/b/")).status == 404


def test_logged_in(site, client):
    """Owners see the API, unless they ask for the site."""
    url = site(index="i.html", listings="yes", objects=["i.html", "b/c"])
    assert client.get(url("/")).lines == ["b/c", "i.html"]
    assert client.get(url("/b")).status == 404
    web = {"X-Web-Mode": "true"}
    assert client.get(url("/"), headers=web).body == b"<i.html>"
    assert client.get(url("/b"), headers=web).status == 301
    plain = site(objects=["a"])
    assert client.get(plain("/"), headers=web).status == 404
    assert client.get(plain("/a"), headers=web).status == 200


def test_other_methods(site, anonymous, client):
    url = site(index="i.html", objects=["i.html"])
    assert anonymous.request("POST", url("/"), body=b"").status == 401
    assert anonymous.request("PUT", url("/x"), body=b"").status == 401
    assert client.request("DELETE", url("/i.html")).status == 204


@pytest.fixture
def key(client):
    assert client.post("", headers={"X-Account-Meta-Temp-URL-Key": KEY}).status == 204
    yield KEY
    client.post("", headers={"X-Remove-Account-Meta-Temp-URL-Key": "x"})


def sign(path, prefix=None):
    t = int(time.time()) + 600
    text = "GET\n%d\n%s" % (t, path if prefix is None else "prefix:" + prefix)
    q = {"temp_url_sig": hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest(),
         "temp_url_expires": t}
    if prefix is not None:
        q["temp_url_prefix"] = prefix.split("/", 4)[4]
    return q


def test_temporary_urls(site, anonymous, key):
    """A prefix-signed link shows the site of a private container, and its links go on."""
    url = site(acl="", index="i.html", listings="yes",
               objects=["d/i.html", "l/a", "l/m/b", "other/x"])
    q = sign(None, url("/"))
    assert anonymous.get(url("/d/"), query=q).body == b"<d/i.html>"
    res = anonymous.get(url("/d"), query=q)
    assert res.status == 301 and "/d/?temp_url_sig=" in res.headers["Location"]
    page = anonymous.get(url("/l/"), query=q)
    assert page.status == 200 and page.headers["Content-Disposition"] == "inline"
    links = Links(page.text).links
    assert [link.split("?")[0] for link in links] == ["../", "m/", "a"]
    query = links[2].split("?")[1]
    assert anonymous.get(url("/l/a"), query=query).body == b"<l/a>"
    page = anonymous.get(url("/"), query=q)
    assert [link.split("?")[0] for link in Links(page.text).links] == ["d/", "l/", "other/"]
    q = sign(None, url("/l/"))
    links = Links(anonymous.get(url("/l/"), query=q).text).links
    assert [link.split("?")[0] for link in links] == ["m/", "a"]
    assert anonymous.get(url("/other/"), query=q).status == 401
    assert anonymous.get(url("/"), query=q).status == 401


def test_temporary_url_of_one_object(site, anonymous, key):
    url = site(acl="", listings="yes", objects=["l/a", "l/b"])
    assert anonymous.get(url("/l/a"), query=sign(url("/l/a"))).body == b"<l/a>"
    assert anonymous.get(url("/l/"), query=sign(url("/l/"))).status == 404


def test_temporary_url_of_a_container_that_is_no_site(site, anonymous, key):
    url = site(acl="", objects=["a"])
    for rest in "", "/":
        assert anonymous.get(url(rest), query=sign(None, url("/"))).status == 401
    assert anonymous.get(url("/a"), query=sign(None, url("/"))).status == 200


def test_temporary_url_of_an_index(site, anonymous, key):
    url = site(acl="", index="i.html", objects=["i.html"])
    res = anonymous.get(url("/"), query=sign(None, url("/")))
    assert (res.status, res.body) == (200, b"<i.html>")
    assert res.headers["Content-Disposition"] == "inline"
    assert "X-Backend-Content-Generator" not in res.headers
    assert anonymous.get(url("/"), query=sign(url("/"))).status == 401
    assert anonymous.request("PUT", url("/"), query=sign(None, url("/"))).status == 401


def test_info(client):
    assert client.get("/info").json["staticweb"] == {}
