"""What answers say beyond their status, side by side with Swift 2.30 over sockets: the type and
text of refusals, the headers that belong to a status."""
import json
import uuid

import pytest

from tests.harness import swift

HTML, PLAIN = "text/html; charset=UTF-8", "text/plain"


@pytest.mark.parametrize("method,path,headers,status,kind,text", [
    ("GET", "/v1", {}, 412, HTML, "Bad URL"),
    ("GET", "/v1/AUTH_test/c/%ff", {}, 412, HTML, "Invalid UTF8 or contains NULL"),
    ("PUT", "c" * 257, {}, 400, HTML, "Container name length of 257 longer than 256"),
    ("PUT", "{c}/" + "o" * 1025, {}, 400, PLAIN, "Object name length of 1025 longer than 1024"),
    ("PUT", "{c}", {"X-Container-Read": ".r:"}, 400, HTML,
     "No host/domain value after referrer designation in ACL: '.r:'"),
    ("PUT", "{c}", {"X-Storage-Policy": "none"}, 400, PLAIN, "Invalid X-Storage-Policy 'none'"),
    ("POST", "{c}", {"X-Container-Meta-Quota-Bytes": "x"}, 400, HTML, "Invalid bytes quota."),
    ("POST", "{c}", {"X-Versions-Location": "a/b"}, 412, HTML,
     "Container name cannot contain slashes"),
    ("POST", "{c}", {"X-Container-Meta-" + "n" * 129: "v"}, 400, PLAIN,
     "Metadata name too long: x-container-meta-N" + "n" * 128),
    ("GET", "{c}?limit=10001", {}, 412, HTML, "Maximum limit is 10000"),
    ("GET", "{c}?marker=%ff", {}, 400, PLAIN, '"marker" parameter not valid UTF-8'),
    ("GET", "{c}?format=%ff", {}, 400, PLAIN, '"format" parameter not valid UTF-8'),
    ("GET", "{c}", {"Accept": "nonsense"}, 400, HTML, "Invalid Accept header"),
    ("PUT", "{c}/o", {"Content-Type": "a/b;swift_x=1"}, 400, HTML,
     "Invalid Content-Type, swift_* is not a valid parameter name."),
    ("PUT", "{c}/o", {"X-Object-Manifest": "x"}, 400, HTML,
     "X-Object-Manifest must be in the format container/prefix"),
    ("PUT", "{c}/o", {"X-Delete-At": "x"}, 400, PLAIN, "Non-integer X-Delete-At"),
    ("PUT", "{c}/o", {"X-Copy-From": "x"}, 412, HTML,
     "X-Copy-From header must be of the form <container name>/<object name>"),
    ("COPY", "{c}/o", {}, 412, HTML, "Destination header required"),
    ("DELETE", "{c}/o", {"X-If-Delete-At": "x"}, 400, HTML, "Bad X-If-Delete-At header value"),
    ("PUT", "{c}/o?multipart-manifest=put", {}, 400, HTML, "Manifest must be valid JSON.\n"),
    ("GET", "{c}/o?version-id=1234567890.12345", {}, 400, HTML,
     "version-aware operations require that the container is versioned"),
])
def test_refusals(client, container, method, path, headers, status, kind, text):
    assert client.put(container + "/o", body=b"x").status == 201
    res = client.request(method, path.replace("{c}", container), headers=headers)
    assert (res.status, res.headers["Content-Type"], res.text) == (status, kind, text)


def test_standard_texts(client, container):
    for method, path, status, title in (("GET", "/missing", 404, "Not Found"),
                                        ("FOO", "", 405, "Method Not Allowed")):
        res = client.request(method, container + path)
        assert res.status == status and res.headers["Content-Type"] == HTML
        assert res.text.startswith("<html><h1>%s</h1><p>" % title)
    assert client.post(container + "/missing").status == 404
    client.put(container + "/o", body=b"x")
    assert client.post(container + "/o").text == (
        "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>")


def test_a_head_asks_nothing_of_the_listing(client, container):
    for query in ("limit=10001", "marker=%ff", "prefix=%ff", "delimiter=%ff"):
        assert client.head(container, query=query).status == 204
        assert client.head("", query=query).status == 204
    assert client.head(container, query="format=%ff").status == 400


def test_accept_ranges(client, container):
    """Said of what is there."""
    client.put(container + "/o", body=b"0123456789", headers={"Content-Type": "text/x"})
    for path in ("", container, container + "/o"):
        assert client.get(path).headers["Accept-Ranges"] == "bytes"
    for path in (container + "/missing", "missing-" + uuid.uuid4().hex):
        assert "Accept-Ranges" not in client.get(path).headers
    res = client.get(container + "/o", headers={"Range": "bytes=10-"})
    assert (res.status, res.headers["Content-Type"]) == (416, "text/x")
    assert res.headers["Content-Range"] == "bytes */10"


def test_odd_conditions_and_ranges(cluster, client, container):
    client.put(container + "/o", body=b"0123456789")
    path = container + "/o"
    assert client.get(path, headers={"If-Match": ""}).status == 412
    assert client.get(path, headers={"If-None-Match": ""}).status == 200
    assert client.get(path, headers={"If-None-Match": '"*"'}).status == 304
    assert client.put(path, body=b"y", headers={"If-None-Match": '"*"'}).status == 412
    for odd in ("somethingelse", "", "*,x", '"'):
        res = client.put(path, body=b"y", headers={"If-None-Match": odd})
        assert (res.status, res.text) == (400, "If-None-Match only supports *"), odd
    with cluster.raw() as r:        # two headers of a name are one list
        r.send("GET %s/%s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nRange: bytes=0-1\r\n"
               "Range: bytes=3-4\r\n\r\n" % (client.account, path, client.token))
        assert (r.response().status) == 200


def test_another_etag_is_told_when(client, container):
    res = client.put(container + "/o", body=b"x", headers={"ETag": "0" * 32})
    assert res.status == 422 and "Last-Modified" in res.headers
    assert client.get(container + "/o").status == 404


def test_what_manifests_keep_inside_stays_there(client, container):
    client.put(container + "/seg", body=b"12345")
    path = container + "/slo"
    body = json.dumps([{"path": "/%s/seg" % container}])
    res = client.put(path, body=body, headers={"Content-Type": "text/x"},
                     query="multipart-manifest=put")
    assert res.status == 201
    for headers in ({}, {"If-None-Match": "*"}, {"If-Match": "x"}, {"Range": "bytes=9-"}):
        for method in ("GET", "HEAD"):
            assert "swift_bytes" not in str(client.request(method, path, headers=headers).headers)
    client.put(container + "/seg", body=b"other")
    res = client.get(path)
    assert res.status == 409 and "X-Static-Large-Object" not in res.headers


def test_preflight_refused(client, anonymous, container):
    res = anonymous.request("OPTIONS", "/v1/AUTH_test/" + container, headers={
        "Origin": "http://a", "Access-Control-Request-Method": "GET"})
    assert res.status == 401 and res.text.startswith("<html><h1>Unauthorized</h1>")


def test_types_of_the_edge(anonymous):
    assert anonymous.get("/healthcheck").headers["Content-Type"] == "text/plain"
    assert anonymous.get("/crossdomain.xml").headers["Content-Type"] == "application/xml"


def test_accounts_with_too_long_names(cluster):
    admin = cluster.client("admin")
    account = "/v1/AUTH_" + "x" * 300
    for method in ("GET", "HEAD", "PUT", "POST"):
        assert admin.request(method, account).status == 400
    assert admin.put(account + "/c").status == 404
    admin.close()


def test_delete_at_is_a_number_as_python_has_it(client, container):
    at = str(int(float(swift.timestamp(500))))
    assert client.put(container + "/o", body=b"x", headers={"X-Delete-At": "+" + at}).status == 201
    assert client.head(container + "/o").headers["X-Delete-At"] == at
    for bad in ("+-5", "++" + at, at + ".5", ""):
        assert client.put(container + "/o", body=b"x",
                          headers={"X-Delete-At": bad}).status == 400
