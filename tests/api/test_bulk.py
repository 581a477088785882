"""Bulk delete, upload of archives, and recursive delete of containers."""
import io
import json
import tarfile
import time
import uuid
import xml.etree.ElementTree as ET

import pytest

from tests.harness import swift
from tests.harness.cluster import SAIO_CONF

JSON = {"Accept": "application/json"}
SMALL = """
[bulk]
max_containers_per_extraction = 2
max_failed_extractions = 3
max_failed_deletes = 3
yield_frequency = 20ms
delete_concurrency = 1
[recursive_delete]
yield_frequency = 20ms
"""


def name():
    return "bulk-" + uuid.uuid4().hex[:12]


def bulk_delete(client, body, headers=None, method="POST", **kw):
    h = {"Content-Type": "text/plain", "Accept": "application/json"}
    h.update(headers or {})
    return client.request(method, "", body=body, headers=h, query="bulk-delete", **kw)


def fill(client, container, names):
    for n in names:
        assert client.put("%s/%s" % (container, swift.quote(n)), body=b"x").status == 201


# ---- bulk delete ----


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_delete_objects_then_container(client, method):
    c = name()
    assert client.put(c).status == 201
    fill(client, c, ["a", "b/c", "ä ☃", "plus+", "per%cent"])
    body = "/%s\n%s/a\n/%s/b/c\n%s/%s\r\n  %s/plus+  \n/%s/per%%25cent\n/%s/missing" % (
        c, c, c, c, swift.quote("ä ☃"), c, c, c)
    res = bulk_delete(client, body.encode(), method=method)
    assert res.status == 200 and res.headers["Content-Type"] == "application/json"
    assert res.json == {"Number Deleted": 6, "Number Not Found": 1, "Response Status": "200 OK",
                        "Response Body": "", "Errors": []}
    assert list(res.json) == ["Response Status", "Response Body", "Number Deleted",
                              "Number Not Found", "Errors"]
    assert res.headers.get("Transfer-Encoding") == "chunked"
    assert client.head(c).status == 404


def test_delete_text_and_xml(client, container):
    fill(client, container, ["o"])
    res = bulk_delete(client, "/%s/o\n/%s/<none>\n" % (container, container),
                      {"Accept": "text/plain"})
    assert res.headers["Content-Type"] == "text/plain"
    assert res.text == ("Number Deleted: 1\nNumber Not Found: 1\nResponse Body: \n"
                        "Response Status: 200 OK\nErrors:\n")
    fill(client, container, ["o"])
    for kind in "application/xml", "text/xml":
        res = bulk_delete(client, "/%s\n" % container, {"Accept": kind})
        assert res.headers["Content-Type"] == kind
        root = ET.fromstring(res.text)
        assert root.tag == "delete"
        assert root.find("number_deleted").text == "0"
        assert root.find("response_status").text == "400 Bad Request"
        assert root.find("errors/object/name").text == "/" + container
        assert root.find("errors/object/status").text == "409 Conflict"


def test_delete_default_is_text(client, container):
    res = client.request("POST", "", body="/%s/none" % container, query="bulk-delete",
                         headers={"Content-Type": "text/plain"})
    assert res.headers["Content-Type"] == "text/plain"
    assert "Number Not Found: 1\n" in res.text


@pytest.mark.parametrize("body", [b"", b"\n\n", b"  \r\n"])
def test_delete_nothing(client, body):
    res = bulk_delete(client, body)
    assert res.status == 200
    assert res.json["Response Status"] == "400 Bad Request"
    assert res.json["Response Body"] == "Invalid bulk delete."


def test_delete_other_type(client):
    res = bulk_delete(client, b"/c/o", {"Content-Type": "application/json"})
    assert (res.status, res.json["Response Status"]) == (200, "406 Not Acceptable")
    res = bulk_delete(client, b"/c-none/o", {"Content-Type": "text/plain; charset=utf-8"})
    assert res.json["Response Status"] == "200 OK"


def test_delete_not_acceptable(client):
    for accept in "image/png", "nonsense":
        res = bulk_delete(client, b"/c/o", {"Accept": accept})
        assert res.status == 200 and "Response Status: 406 Not Acceptable" in res.text
        assert res.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_delete_no_length(raw, client):
    raw.send("POST %s?bulk-delete HTTP/1.1\r\nHost: h\r\nX-Auth-Token: %s\r\n\r\n"
             % (client.account, client.token))
    res = raw.response()
    assert res.status == 200 and b"Response Status: 411 Length Required" in res.body


def test_delete_unauthorized(cluster, client, container, anonymous):
    fill(client, container, ["o"])
    target = client.path("")
    body = "%s/o\n%s" % (container, container)
    res = anonymous.request("POST", target, body=body, query="bulk-delete", headers=JSON)
    assert res.status == 200
    assert res.json["Errors"] == [[container + "/o", "401 Unauthorized"],
                                  [container, "401 Unauthorized"]]
    assert res.json["Response Status"] == "400 Bad Request"
    other = cluster.client("other")
    res = other.request("POST", target, body=body, query="bulk-delete", headers=JSON)
    assert [e[1] for e in res.json["Errors"]] == ["403 Forbidden"] * 2
    other.close()
    assert client.head(container + "/o").status == 200


def test_delete_bad_names(client, container):
    res = bulk_delete(client, b"/%s/%%ff\n/%s/a%%00b\n/\n/%s/%s\n"
                      % ((container.encode(),) * 3 + (b"n" * 1100,)))
    assert sorted(res.json["Errors"]) == sorted([
        ["/%s/%%FF" % container, "412 Precondition Failed"],
        ["/%s/a%%00b" % container, "412 Precondition Failed"],
        ["/", "403 Forbidden"],
        ["/%s/%s" % (container, "n" * 1100), "400 Bad Request"]]) or \
        ["/%s/%s" % (container, "n" * 1100), "404 Not Found"] not in res.json["Errors"]
    assert client.head("").status == 204


def test_delete_limits(client, container):
    assert bulk_delete(client, b"\n" * 10000).json["Response Body"] == "Invalid bulk delete."
    fill(client, container, ["o"])
    res = bulk_delete(client, b"/%s/o\n" % container.encode() + b"\n" * 10000)
    assert res.json["Response Status"] == "413 Request Entity Too Large"
    assert res.json["Response Body"] == "Maximum Bulk Deletes: 10000 per request"
    res = bulk_delete(client, b"/%s/o\n" % container.encode() + b"x" * 5000)
    assert res.json["Response Status"] == "400 Bad Request"
    assert res.json["Response Body"] == "Invalid File Name"
    assert client.head(container + "/o").status == 200


def test_delete_chunked_in_pieces(client, container):
    fill(client, container, ["one", "two"])
    text = ("/%s/one\n/%s/two" % (container, container)).encode()
    res = bulk_delete(client, (text[i:i + 1] for i in range(len(text))))
    assert res.json["Number Deleted"] == 2


def test_delete_many(client, container):
    names = ["o%03d" % i for i in range(100)]
    fill(client, container, names)
    res = bulk_delete(client, "".join("/%s/%s\n" % (container, n) for n in names))
    assert res.json["Number Deleted"] == 100
    assert client.get(container).status in (200, 204) and client.get(container).body == b""


def test_expect_continue(raw, client, container):
    body = "/%s/none\n" % container
    raw.send("POST %s?bulk-delete HTTP/1.1\r\nHost: h\r\nX-Auth-Token: %s\r\n"
             "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
             % (client.account, client.token, len(body)))
    assert raw.head().status == 100
    raw.send(body)
    res = raw.response()
    assert res.status == 200 and b"Number Not Found: 1\n" in res.body


def test_client_goes_away(cluster, client, container):
    """In the middle of a list, of an archive, and of the work itself."""
    fill(client, container, ["o%d" % i for i in range(40)])
    head = "X-Auth-Token: %s\r\nHost: h\r\n" % client.token
    data = archive([("f%d" % i, b"x" * 10000) for i in range(20)])
    for start, body in (
            ("POST %s?bulk-delete" % client.account, b"/none/none\n"),
            ("PUT %s/%s?extract-archive=tar" % (client.account, container), data[:50000]),
            ("DELETE %s/%s?recursive=true" % (client.account, container), b"")):
        with cluster.raw() as r:
            length = "Content-Length: 1000000\r\n" if body else ""
            r.send((start + " HTTP/1.1\r\n" + head + length + "\r\n").encode() + body)
            time.sleep(0.02)
    res = client.request("DELETE", container, query="recursive=true", headers=JSON)
    assert res.status in (200, 204, 404)
    deadline = time.time() + 20
    while client.head(container).status != 404 and time.time() < deadline:
        client.request("DELETE", container, query="recursive=true")
        time.sleep(0.1)
    assert client.head(container).status == 404


def test_info(client):
    info = client.get("/info").json
    assert info["bulk_delete"] == {"max_deletes_per_request": 10000, "max_failed_deletes": 1000}
    assert info["bulk_upload"] == {"max_containers_per_extraction": 10000,
                                   "max_failed_extractions": 1000}


@pytest.fixture
def small(make_cluster, tmp_path):
    """A cluster whose limits are small and that is quick to show that it lives."""
    with open(SAIO_CONF) as f:
        conf = f.read() + SMALL
    (tmp_path / "small.conf").write_text(conf)
    return make_cluster(conf=str(tmp_path / "small.conf"))


@pytest.fixture
def small_client(small):
    c = small.client("tester")
    yield c
    c.close()


def test_max_failed_deletes(small_client):
    c = name()
    assert small_client.put(c).status == 201
    fill(small_client, c, ["last"])
    res = bulk_delete(small_client, "%s\n" % c * 5)
    assert res.json["Response Body"] == "Max delete failures exceeded"
    assert res.json["Response Status"] == "400 Bad Request"
    assert len(res.json["Errors"]) == 3
    small_client.empty(c)


def test_signs_of_life(small_client):
    """Whitespace while it takes long, which parsers skip; XML begins with its declaration."""
    c = name()
    assert small_client.put(c).status == 201

    def slowly():
        yield b"/%s/a\n" % c.encode()
        time.sleep(0.2)
        yield b"/%s\n" % c.encode()

    res = bulk_delete(small_client, slowly())
    head, body = res.text.split("\r\n\r\n")
    assert len(head) >= 2 and not head.strip(" ")
    assert json.loads(res.text)["Number Deleted"] == 1 and json.loads(body)
    res = bulk_delete(small_client, slowly(), {"Accept": "text/xml"})
    assert res.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n ')
    assert ET.fromstring(res.text).find("number_not_found").text == "2"


# ---- archives ----


def archive(files, mode="w", fmt=tarfile.PAX_FORMAT):
    """files: (name, bytes) or TarInfo with data."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=fmt) as t:
        for item in files:
            info, data = item if isinstance(item[0], tarfile.TarInfo) else (
                tarfile.TarInfo(item[0]), item[1])
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def extract(client, data, where="", fmt="tar", headers=None, **kw):
    h = dict(JSON)
    h.update(headers or {})
    return client.request("PUT", where, body=data, query="extract-archive=" + fmt, headers=h, **kw)


@pytest.mark.parametrize("fmt,mode", [("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2")])
def test_extract(client, fmt, mode):
    c = name()
    big = bytes(range(256)) * 4000
    data = archive([(c + "/a.txt", b"hello"), ("./" + c + "/dir/b.html", big),
                    ("/" + c + "/ä☃", b""), ("top-level", b"ignored"),
                    (c + "/" + "long" * 60, b"l")], mode)
    res = extract(client, data, fmt=fmt)
    assert res.status == 200 and res.headers["Content-Type"] == "application/json"
    assert res.json == {"Number Files Created": 4, "Response Status": "201 Created",
                        "Response Body": "", "Errors": []}
    res = client.get(c + "/a.txt")
    assert (res.body, res.headers["Content-Type"]) == (b"hello", "text/plain")
    assert client.get(c + "/dir/b.html").body == big
    assert client.get(c + "/" + swift.quote("ä☃")).status == 200
    assert client.get(c + "/" + "long" * 60).body == b"l"
    client.empty(c)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_extract_into_prefix(client, container, tar_format):
    data = archive([("top", b"1"), ("x/ü", b"2"), ("y" * 120 + "/" + "z" * 120, b"3")],
                   fmt=tar_format)
    res = extract(client, data, container + "/pre/")
    assert res.json["Number Files Created"] == 3
    assert client.get(container + "/pre/top").body == b"1"
    assert client.get(container + "/pre/x/" + swift.quote("ü")).body == b"2"
    assert client.get(container + "/pre/" + "y" * 120 + "/" + "z" * 120).body == b"3"
    res = extract(client, data, container, fmt=".tar")
    assert client.get(container + "/top").status == 200


def test_extract_only_files(client, container):
    infos = []
    for kind in tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE:
        i = tarfile.TarInfo("kind" + kind.decode())
        i.type, i.linkname = kind, "file"
        infos.append((i, b""))
    res = extract(client, archive([("file", b"f")] + infos), container)
    assert res.json["Number Files Created"] == 1
    assert client.get(container).lines == ["file"]


@pytest.mark.parametrize("prefix", ["SCHILY.xattr."])
def test_extract_attributes(client, container, prefix):
    i = tarfile.TarInfo("setup.py")
    i.pax_headers = {prefix + "user.mime_type": "application/python-setup",
                     prefix + "user.meta.lunch": "burger and fries",
                     prefix + "user.meta.dinner": "käse", prefix + "user.stuff": "whee"}
    res = extract(client, archive([(i, b"x"), ("other", b"y")]), container,
                  headers={"X-Object-Meta-All": "both", "X-Delete-After": "1000",
                           "X-Object-Meta-Lunch": "none"})
    assert res.json["Number Files Created"] == 2, res
    res = client.head(container + "/setup.py")
    assert res.headers["Content-Type"] == "application/python-setup"
    assert res.headers["X-Object-Meta-Lunch"] == "burger and fries"
    assert res.headers["X-Object-Meta-Dinner"].encode("latin-1").decode() == "käse"
    assert res.headers["X-Object-Meta-All"] == "both" and "X-Delete-At" in res.headers
    assert "X-Object-Meta-Stuff" not in res.headers
    assert client.head(container + "/other").headers["X-Object-Meta-Lunch"] == "none"


def test_extract_unsupported(client, container):
    for fmt in "zip", "", "tar.xz":
        res = extract(client, b"x", container, fmt=fmt)
        assert (res.status, res.body) == (400, b"Unsupported archive format")


@pytest.mark.parametrize("fmt,data", [
    ("tar", b""), ("tar", b"junk" * 1000), ("tar.gz", b""), ("tar.gz", b"junk" * 1000),
    ("tar.gz", archive([("a", b"b")])), ("tar", archive([("a", b"b")], "w:gz")),
    ("tar.bz2", archive([("a", b"b")], "w:gz")),
    ("tar", archive([("a", b"b" * 5000)])[:3000]),
    ("tar.gz", archive([("a", bytes(range(256)) * 100)], "w:gz")[:-20]),
])
def test_extract_broken(client, container, fmt, data):
    res = extract(client, data, container, fmt=fmt)
    assert res.status == 200
    assert res.json["Response Status"] == "400 Bad Request"
    assert res.json["Response Body"].startswith("Invalid Tar File: ")


def test_extract_nothing(client):
    for data in archive([]), archive([("top", b"x")]):
        res = extract(client, data)
        assert res.json["Response Body"] == "Invalid Tar File: No Valid Files"
        assert res.json["Response Status"] == "400 Bad Request"


def test_extract_bad_names(client, container):
    bad = tarfile.TarInfo("bad")
    bad.name = b"bad\xff".decode("utf-8", "surrogateescape")
    res = extract(client, archive([(bad, b"x"), ("n" * 1100, b"y"), ("good", b"z")],
                                  fmt=tarfile.GNU_FORMAT), container)
    assert res.json["Number Files Created"] == 1
    assert res.json["Errors"] == [
        ["%s/bad%%FF" % container, "412 Precondition Failed"],
        ["%s/%s" % (container, "n" * 1100), "400 Bad Request"]]
    assert res.json["Response Status"] == "400 Bad Request"


def test_extract_unauthorized(client, container, anonymous):
    res = extract(anonymous, archive([("a", b"x"), ("b", b"y")]), client.path(container))
    assert res.status == 200
    assert res.json["Response Status"] == "401 Unauthorized"
    assert res.json["Number Files Created"] == 0
    assert client.get(container).body == b""


def test_extract_with_write_acl(cluster, client, container):
    """Who may only write cannot look at the container, yet his files arrive."""
    assert client.post(container, headers={"X-Container-Write": "test2:tester2"}).status == 204
    other = cluster.client("other")
    res = extract(other, archive([("a", b"x")]), client.path(container))
    assert (res.json["Response Status"], res.json["Number Files Created"]) == ("201 Created", 1)
    res = extract(other, archive([(name() + "/a", b"x")]), client.path(""))
    assert res.json["Response Status"] == "400 Bad Request"
    assert [e[1] for e in res.json["Errors"]] == ["403 Forbidden"] * 2
    other.close()


def test_extract_text_and_xml(client, container):
    res = extract(client, archive([("a", b"x")]), container, headers={"Accept": "text/plain"})
    assert res.text == ("Number Files Created: 1\nResponse Body: \n"
                        "Response Status: 201 Created\nErrors:\n")
    res = extract(client, archive([("a", b"x")]), container, headers={"Accept": "text/xml"})
    assert ET.fromstring(res.text).tag == "extract"
    assert ET.fromstring(res.text).find("number_files_created").text == "1"


def test_extract_chunked(client, container):
    data = archive([("f%d" % i, b"x" * i * 100) for i in range(50)], "w:gz")
    res = extract(client, (data[i:i + 7] for i in range(0, len(data), 7)), container, fmt="tar.gz")
    assert res.json["Number Files Created"] == 50
    assert client.head(container + "/f49").headers["Content-Length"] == "4900"


def test_extract_sparse(client, container, tmp_path):
    import subprocess
    (tmp_path / "sparse").write_bytes(b"")
    with open(tmp_path / "sparse", "r+b") as f:
        f.write(b"begin")
        f.seek(1 << 20)
        f.write(b"end")
    data = subprocess.run(["tar", "-C", str(tmp_path), "--sparse", "-cf", "-", "sparse"],
                          check=True, stdout=subprocess.PIPE).stdout
    assert len(data) < 1 << 19
    assert extract(client, data, container).json["Number Files Created"] == 1
    assert client.get(container + "/sparse").body == (tmp_path / "sparse").read_bytes()


def test_extract_limits(small_client):
    names = [name() for _ in range(3)]
    res = extract(small_client, archive([(n + "/o", b"x") for n in names]))
    assert res.json["Response Body"] == "More than 2 containers to create from tar."
    assert res.json["Response Status"] == "400 Bad Request"
    res = extract(small_client, archive([("n" * 1100 + str(i), b"x") for i in range(5)]), names[0])
    assert len(res.json["Errors"]) == 3
    for n in names:
        small_client.empty(n)


# ---- recursive delete ----


def test_recursive_delete(client):
    c = name()
    assert client.put(c).status == 201
    fill(client, c, ["a", "b/c", "new\nline", "ä☃", "z"] + ["o%d" % i for i in range(30)])
    res = client.request("DELETE", c, query="recursive=true", headers=JSON)
    assert res.status == 200 and res.headers["Content-Type"] == "application/json"
    assert res.json == {"Response Status": "200 OK", "Response Body": "", "Number Deleted": 36,
                        "Number Not Found": 0, "Errors": []}
    assert client.head(c).status == 404


def test_recursive_delete_plain_cases(client, cluster, anonymous):
    c = name()
    assert client.put(c).status == 201
    assert client.request("DELETE", c, query="recursive=true").status == 204
    assert client.request("DELETE", c, query="recursive=true").status == 404
    assert client.put(c).status == 201
    fill(client, c, ["o"])
    assert client.request("DELETE", c, query="recursive=false").status == 409
    assert client.request("DELETE", c + "/none", query="recursive=true").status == 404
    target = client.path(c)
    assert anonymous.request("DELETE", target, query="recursive=true").status == 401
    other = cluster.client("other")
    assert client.post(c, headers={"X-Container-Write": "test2:tester2"}).status == 204
    assert other.request("DELETE", target, query="recursive=true").status == 403
    other.close()
    assert client.head(c + "/o").status == 200
    client.empty(c)


def test_recursive_delete_shows_progress(small_client):
    c = name()
    assert small_client.put(c).status == 201
    fill(small_client, c, ["o%d" % i for i in range(60)])
    res = small_client.request("DELETE", c, query="recursive=true")
    assert res.headers["Content-Type"] == "text/plain"
    assert res.text.endswith("Number Deleted: 61\nNumber Not Found: 0\nResponse Body: \n"
                             "Response Status: 200 OK\nErrors:\n")
    progress = [line for line in res.lines if line.startswith("Deleted so far: ")]
    assert progress and all(0 <= int(line.split(": ")[1]) <= 60 for line in progress)


def test_recursive_delete_in_info(client):
    assert client.get("/info").json["recursive_delete"] == {"max_failed_deletes": 1000}
