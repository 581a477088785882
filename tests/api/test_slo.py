"""Static large objects: ?multipart-manifest=put|get|delete, and what manifests answer."""
import base64
import hmac
import http.client
import json
import re
import subprocess
import time
import uuid

import pytest

from tests.harness.swift import md5, quote

SEGMENTS = [b"0123456789", b"abcdefghij" * 3, b"ABCDE", b"+"]
CONTENT = b"".join(SEGMENTS)


@pytest.fixture
def segments(client):
    """The name of a container with SEGMENTS as 0, 1, 2…"""
    name = "s-" + uuid.uuid4().hex[:12]
    assert client.put(name).status == 201
    for i, data in enumerate(SEGMENTS):
        assert client.put("%s/%d" % (name, i), body=data,
                          headers={"Content-Type": "text/x-%d; charset=x" % i}).status == 201
    yield name
    client.empty(name)


def manifest(segments, *which):
    return [{"path": "/%s/%d" % (segments, i)} for i in which or range(len(SEGMENTS))]


def put(client, path, entries, query="", **kw):
    body = entries if isinstance(entries, (str, bytes)) else json.dumps(entries)
    return client.put(path + "?multipart-manifest=put" + query, body=body, **kw)


def slo_etag(*parts):
    return '"%s"' % md5("".join(parts).encode())


@pytest.fixture
def slo(client, container, segments):
    """The path of an SLO of all segments."""
    path = container + "/slo"
    res = put(client, path, manifest(segments),
              headers={"Content-Type": "text/x-large", "X-Object-Meta-Colour": "red"})
    assert res.status == 201, res
    return path


# ---- PUT ----

def test_put_and_get(client, container, segments, slo):
    res = put(client, slo, manifest(segments))
    etag = slo_etag(*map(md5, SEGMENTS))
    assert (res.status, res.headers["Etag"], res.body) == (201, etag, b"")
    assert "Last-Modified" in res.headers
    got = client.get(slo)
    assert (got.status, got.reason, got.body) == (200, "OK", CONTENT)
    assert got.headers["Content-Length"] == str(len(CONTENT))
    assert got.headers["Etag"] == etag
    assert got.headers["X-Static-Large-Object"] == "True"
    assert re.fullmatch("[0-9a-f]{32}", got.headers["X-Manifest-Etag"])
    assert not any(k.lower().startswith("x-object-sysmeta") for k, _ in got.headers)
    head = client.head(slo)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Etag", "X-Static-Large-Object", "X-Manifest-Etag",
                 "Last-Modified", "Content-Type", "X-Timestamp"):
        assert head.headers[name] == got.headers[name], name


def test_content_type_and_metadata(client, slo, container, segments):
    got = client.get(slo)
    assert got.headers["Content-Type"] == "text/x-large"
    assert got.headers["X-Object-Meta-Colour"] == "red"
    assert put(client, container + "/a.png", manifest(segments)).status == 201
    assert client.head(container + "/a.png").headers["Content-Type"] == "image/png"


def test_verified_etag_and_size(client, container, segments):
    entries = [{"path": "%s/%d" % (segments, i), "etag": md5(d), "size_bytes": len(d)}
               for i, d in enumerate(SEGMENTS)]
    entries[1]["size_bytes"] = " %d " % len(SEGMENTS[1])
    entries[2]["etag"] = None
    assert put(client, container + "/o", entries).status == 201
    assert client.get(container + "/o").body == CONTENT


def test_etag_of_the_request(client, container, segments):
    etag = slo_etag(*map(md5, SEGMENTS))
    for value in (etag, etag.strip('"')):
        assert put(client, container + "/o", manifest(segments),
                   headers={"ETag": value}).status == 201
    res = put(client, container + "/p", manifest(segments), headers={"ETag": "0" * 32})
    assert res.status == 422
    assert client.head(container + "/p").status == 404


def test_ranged_segments(client, container, segments):
    entries = [{"path": "/%s/0" % segments, "range": "2-4"},
               {"path": "/%s/1" % segments, "range": "-5"},
               {"path": "/%s/1" % segments, "range": "25-"},
               {"path": "/%s/2" % segments, "range": "0-4"}]        # all of it: no range
    res = put(client, container + "/o", entries)
    h = [md5(d) for d in SEGMENTS]
    assert res.headers["Etag"] == slo_etag(h[0], ":2-4;", h[1], ":25-29;", h[1], ":25-29;", h[2])
    want = b"234" + b"fghij" * 2 + b"ABCDE"
    assert client.get(container + "/o").body == want
    for first in range(len(want)):
        got = client.get(container + "/o", headers={"Range": "bytes=%d-%d" % (first, first + 3)})
        assert (got.status, got.body) == (206, want[first:first + 4])
    rows = client.get(container + "/o?multipart-manifest=get").json
    assert [r.get("range") for r in rows] == ["2-4", "25-29", "25-29", None]


def test_data_segments(client, container, segments):
    entries = [{"data": base64.b64encode(b"pre").decode()}, {"path": "/%s/2" % segments},
               {"data": base64.b64encode(b"\0post").decode() + "=="}]
    res = put(client, container + "/o", entries)
    assert res.headers["Etag"] == slo_etag(md5(b"pre"), md5(SEGMENTS[2]), md5(b"\0post"))
    assert client.get(container + "/o").body == b"preABCDE\0post"
    assert client.get(container + "/o", headers={"Range": "bytes=2-9"}).body == b"eABCDE\0p"
    assert client.get(container + "/o?multipart-manifest=get").json[2] == {"data": "AHBvc3Q="}


def test_empty_manifest(client, container):
    res = put(client, container + "/o", "[]")
    assert (res.status, res.headers["Etag"]) == (201, slo_etag())
    got = client.get(container + "/o")
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", "0")


def test_last_segment_may_be_empty(client, container, segments):
    assert client.put(segments + "/empty").status == 201
    entries = manifest(segments, 0) + [{"path": "/%s/empty" % segments}]
    assert put(client, container + "/o", entries).status == 201
    assert client.get(container + "/o").body == SEGMENTS[0]
    res = put(client, container + "/o", list(reversed(entries)))
    assert res.status == 400
    assert res.lines == ["Errors:", "/%s/empty, Too small; each segment must be at least 1 byte."
                         % segments]


def test_names_in_all_languages(client, container, segments):
    name = "ä ö/%41 \u2603"
    assert client.put(quote(segments, name), body=b"x").status == 201
    entries = [{"path": "/%s/%s" % (segments, name)}]
    assert put(client, container + "/o", entries).status == 201
    assert client.get(container + "/o").body == b"x"
    assert client.get(container + "/o?multipart-manifest=get").json[0]["name"] == \
        "/%s/%s" % (segments, name)
    res = put(client, container + "/o", [{"path": "/%s/\u2603" % segments}])
    assert res.lines[1] == "/%s/%%E2%%98%%83, 404 Not Found" % segments


def test_chunked(client, container, segments):
    body = json.dumps(manifest(segments)).encode()
    res = client.put(container + "/o?multipart-manifest=put", body=iter([body[:7], body[7:]]))
    assert res.status == 201
    assert client.get(container + "/o").body == CONTENT


# ---- refusals ----

BAD = [
    ("", "Manifest must be valid JSON.\n"),
    ("nonsense", "Manifest must be valid JSON.\n"),
    ('{"path": "/c/o"}', "Manifest must be a list.\n"),
    ("[7]", "Index 0: not a JSON object\n"),
    ("[{}]", "Index 0: expected keys to include one of 'data' or 'path'\n"),
    ('[{"path": "/c/o", "zz": 1, "aa": 2}]', 'Index 0: extraneous keys "aa", "zz"\n'),
    ('[{"path": 12}]', 'Index 0: "path" must be a string\n'),
    ('[{"path": "/c/o", "etag": 5}]', 'Index 0: "etag" must be a string or null (if provided)\n'),
    ('[{"path": "/c/"}]', "Index 0: path does not refer to an object. Path must be of the form "
                          "/container/object.\n"),
    ('[{"path": "/c/o", "size_bytes": "x"}]', "Index 0: invalid size_bytes\n"),
    ('[{"path": "/c/o", "size_bytes": 0}, {"path": "/c/p"}]',
     "Index 0: too small; each segment must be at least 1 byte.\n"),
    ('[{"path": "/c/o", "range": "non-range"}]', "Index 0: invalid range\n"),
    ('[{"path": "/c/o", "range": "5-4"}]', "Index 0: invalid range\n"),
    ('[{"path": "/c/o", "range": "1-2,4-5"}]', "Index 0: multiple ranges (only one allowed)\n"),
    ('[{"path": "/c/o", "range": "10-12", "size_bytes": 5}]', "Index 0: unsatisfiable range\n"),
    ('[{"path": "/c/o", "data": "YQ=="}]', 'Index 0: extraneous keys "path"\n'
     "Inline data segments require at least one object-backed segment.\n"),
    ('[{"data": "!"}, {"path": "/c/o"}]', "Index 0: data must be valid base64\n"),
    ('[{"data": ""}, {"path": "/c/o"}]',
     "Index 0: too small; each segment must be at least 1 byte.\n"),
    ('[{"data": "YQ=="}]', "Inline data segments require at least one object-backed segment.\n"),
    ("[" * 100000, "Manifest must be valid JSON.\n"),
    ('[{"path": "/c/o", "size_bytes": "x"}, 4]',
     "Index 0: invalid size_bytes\nIndex 1: not a JSON object\n"),
]


@pytest.mark.parametrize("body, text", BAD)
def test_bad_manifests(client, container, body, text):
    res = put(client, container + "/o", body or b"")
    assert (res.status, res.text) == (400, text)
    # As swob has it where nobody named a type.
    kind = "text/html" if text.startswith("Manifest must be") else "text/plain"
    assert res.headers["Content-Type"].startswith(kind)
    assert client.head(container + "/o").status == 404


def test_itself(client, container):
    res = put(client, container + "/o", [{"path": container + "/o"}])
    assert (res.status, res.text) == (400,
                                      "Index 0: manifest must not include itself as a segment\n")


def problems(segments):
    entries = [{"path": "/%s/none" % segments},
               {"path": "%s/0" % segments, "size_bytes": 11},
               {"path": "/%s/1" % segments, "etag": "0" * 32},
               {"path": "/%s/2" % segments, "range": "5-9"},
               {"path": "/%s/2" % segments}]
    return entries, [["/%s/none" % segments, "404 Not Found"],
                     ["%s/0" % segments, "Size Mismatch"],
                     ["/%s/1" % segments, "Etag Mismatch"],
                     ["/%s/2" % segments, "Unsatisfiable Range"]]


def test_error_list_as_text(client, container, segments):
    entries, errors = problems(segments)
    res = put(client, container + "/o", entries)
    assert (res.status, res.headers["Content-Type"]) == (400, "text/plain")
    assert res.headers["Transfer-Encoding"] == "chunked"
    assert res.text == "Errors:\n" + "".join("%s, %s\n" % tuple(e) for e in errors)
    assert client.head(container + "/o").status == 404


def test_error_list_as_json(client, container, segments):
    entries, errors = problems(segments)
    res = put(client, container + "/o", entries, headers={"Accept": "application/json"})
    assert (res.status, res.headers["Content-Type"]) == (400, "application/json")
    assert res.json == {"Errors": errors}


@pytest.mark.parametrize("kind", ["application/xml", "text/xml"])
def test_error_list_as_xml(client, container, segments, kind):
    entries, errors = problems(segments)
    res = put(client, container + "/o", entries, headers={"Accept": kind})
    assert (res.status, res.headers["Content-Type"]) == (400, kind)
    assert res.text == "<upload>\n<errors>\n%s</errors>\n</upload>\n" % "".join(
        "<object><name>%s</name><status>%s</status></object>\n" % tuple(e) for e in errors)


def test_unknown_accept_is_text(client, container, segments):
    for accept in ("image/png", "garbage"):
        res = put(client, container + "/o", problems(segments)[0], headers={"Accept": accept})
        assert res.text.startswith("Errors:\n")


def test_limits(client, container, segments):
    res = put(client, container + "/o", manifest(segments, *([0] * 1001)))
    assert (res.status, res.text) == (413, "Number of object-backed segments must be <= 1000")
    assert put(client, container + "/o", manifest(segments, *([0] * 1000))).status == 201
    res = put(client, container + "/o", b"[" + b" " * (8 << 20) + b"]")
    assert (res.status, res.text) == (413, "Manifest File > 8388608 bytes")
    res = client.put(container + "/o?multipart-manifest=put",
                     body=iter([b"[" + b" " * (1 << 20)] + [b" " * (1 << 20)] * 8))
    assert res.status == 413


def test_no_length(client, raw, container):
    raw.send("PUT %s/%s/o?multipart-manifest=put HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n\r\n"
             % (client.account, container, client.token))
    assert raw.response().status == 411


def test_no_copies(client, container, segments):
    res = client.put(container + "/o?multipart-manifest=put",
                     headers={"X-Copy-From": segments + "/0"})
    assert (res.status, res.text) == (405, "Multipart Manifest PUTs cannot be COPY requests")


def test_reserved_header(client, container):
    for method in ("PUT", "POST"):
        res = client.request(method, container + "/o", headers={"X-Static-Large-Object": "True"})
        assert (res.status, res.text) == (
            400, "X-Static-Large-Object is a reserved header. To create a static large object "
                 "add query param multipart-manifest=put.")


def test_no_such_container(client, segments):
    assert put(client, "none-%s/o" % segments, manifest(segments)).status == 404


# ---- heartbeat ----

def test_heartbeat(client, container, segments):
    res = put(client, container + "/o", manifest(segments), "&heartbeat=on")
    assert (res.status, res.headers["Content-Type"]) == (202, "text/plain")
    assert res.text.startswith(" ")
    blanks, _, report = res.text.partition("\r\n\r\n")
    assert blanks.strip() == ""
    lines = report.splitlines()
    assert lines[0] == "Etag: " + slo_etag(*map(md5, SEGMENTS))
    assert re.fullmatch(r"Last Modified: \w+, .* GMT", lines[1])
    assert lines[2:] == ["Response Body: ", "Response Status: 201 Created", "Errors:"]
    assert client.get(container + "/o").body == CONTENT


def test_heartbeat_json_errors(client, container, segments):
    entries, errors = problems(segments)
    res = put(client, container + "/o", entries, "&heartbeat=on",
              headers={"Accept": "application/json"})
    assert res.status == 202
    assert res.json == {
        "Response Status": "400 Bad Request", "Errors": errors,
        "Response Body": "Bad Request\nThe server could not comply with the request since it is "
                         "either malformed or otherwise incorrect."}
    res = put(client, container + "/o", manifest(segments), "&heartbeat=on",
              headers={"Accept": "application/json", "ETag": "0" * 32})
    assert res.json["Response Status"] == "422 Unprocessable Entity"
    assert res.json["Errors"] == []
    assert client.head(container + "/o").status == 404


def test_heartbeat_xml(client, container, segments):
    res = put(client, container + "/o", manifest(segments), "&heartbeat=on",
              headers={"Accept": "text/xml"})
    assert "<response_status>201 Created</response_status>" in res.text
    assert res.text.strip().startswith("<upload>")


def test_heartbeat_refusals_come_first(client, container):
    assert put(client, container + "/o", "{}", "&heartbeat=on").status == 400


# ---- listings ----

def test_listing(client, container, segments, slo):
    row = client.get(container, query={"format": "json"}).json[0]
    own = client.head(slo).headers["X-Manifest-Etag"]
    assert row["bytes"] == len(CONTENT)
    assert row["hash"] == own.strip('"')
    assert row["slo_etag"] == slo_etag(*map(md5, SEGMENTS))
    assert row["content_type"] == "text/x-large"
    xml = client.get(container, query={"format": "xml"}).text
    assert "<hash>%s</hash><bytes>%d</bytes>" % (own.strip('"'), len(CONTENT)) in xml
    stored = len(client.get(slo + "?multipart-manifest=get").body)
    assert client.head(container).headers["X-Container-Bytes-Used"] == str(stored)


# ---- GET ----

RANGES = [("0-0", 0, 1), ("5-14", 5, 15), ("10-39", 10, 40), ("9-40", 9, 41), ("-6", 40, 46),
          ("-1000", 0, 46), ("39-", 39, 46), ("45-99", 45, 46), ("0-45", 0, 46)]


@pytest.mark.parametrize("text, first, end", RANGES)
def test_ranges(client, slo, text, first, end):
    got = client.get(slo, headers={"Range": "bytes=" + text})
    assert (got.status, got.reason, got.body) == (206, "Partial Content", CONTENT[first:end])
    assert got.headers["Content-Range"] == "bytes %d-%d/%d" % (first, end - 1, len(CONTENT))


def test_ranges_that_are_not(client, slo):
    got = client.get(slo, headers={"Range": "bytes=46-"})
    assert (got.status, got.headers["Content-Range"]) == (416, "bytes */46")
    for text in ("bytes=3-1", "bytes=", "lines=1-2"):
        assert client.get(slo, headers={"Range": text}).body == CONTENT


def test_several_ranges(client, slo):
    got = client.get(slo, headers={"Range": "bytes=0-11,38-41,-1"})
    assert got.status == 206
    boundary = re.fullmatch("multipart/byteranges;boundary=(.*)", got.headers["Content-Type"])[1]
    parts = got.body.split(("--" + boundary).encode())
    assert [p.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") for p in parts[1:-1]] == \
        [CONTENT[0:12], CONTENT[38:42], CONTENT[-1:]]
    assert b"Content-Type: text/x-large\r\nContent-Range: bytes 38-41/46" in parts[2]
    assert int(got.headers["Content-Length"]) == len(got.body)


def test_conditions(client, slo):
    head = client.head(slo).headers
    etag, own = head["Etag"], head["X-Manifest-Etag"]

    def status(method="GET", **headers):
        res = client.request(method, slo,
                             headers={k.replace("_", "-"): v for k, v in headers.items()})
        if res.status != 412:
            assert res.headers["Etag"] == etag
        return res.status

    for method in ("GET", "HEAD"):
        assert status(method, If_Match=etag) == 200
        assert status(method, If_Match="*") == 200
        assert status(method, If_Match=own) == 412
        assert status(method, If_None_Match=etag) == 304
        assert status(method, If_None_Match=own) == 200
        assert status(method, If_None_Match="*") == 304
        assert status(method, If_Modified_Since=head["Last-Modified"]) == 304
        assert status(method, If_Unmodified_Since=head["Last-Modified"]) == 200
        assert status(method, If_Unmodified_Since="Mon, 01 Jan 2001 00:00:00 GMT") == 412
    assert status(If_Match=etag, Range="bytes=1-2") == 206
    assert status(If_Range=etag, Range="bytes=1-2") == 206
    assert status(If_Range=own, Range="bytes=1-2") == 200


def test_manifest(client, segments, slo):
    got = client.get(slo + "?multipart-manifest=get")
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    assert got.headers["X-Static-Large-Object"] == "True"
    assert got.headers["Etag"] == md5(got.body)
    for i, row in enumerate(got.json):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000", row.pop("last_modified"))
        assert row == {"name": "/%s/%d" % (segments, i), "bytes": len(SEGMENTS[i]),
                       "hash": md5(SEGMENTS[i]), "content_type": "text/x-%d" % i}
    head = client.head(slo + "?multipart-manifest=get")
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["Etag"] == got.headers["Etag"]


def test_raw_manifest(client, container, segments, slo):
    got = client.get(slo + "?multipart-manifest=get&format=raw")
    want = [{"path": "/%s/%d" % (segments, i), "size_bytes": len(d), "etag": md5(d)}
            for i, d in enumerate(SEGMENTS)]
    assert got.body == json.dumps(want, sort_keys=True).encode()
    assert got.headers["Etag"] == md5(got.body)
    assert got.headers["Content-Length"] == str(len(got.body))
    assert put(client, container + "/again", got.body).status == 201
    assert client.get(container + "/again").body == CONTENT


def test_part_number(client, segments, slo, container):
    at = 0
    for i, data in enumerate(SEGMENTS):
        got = client.get("%s?part-number=%d" % (slo, i + 1))
        assert (got.status, got.body) == (206, data)
        assert got.headers["X-Parts-Count"] == str(len(SEGMENTS))
        assert got.headers["Content-Range"] == "bytes %d-%d/46" % (at, at + len(data) - 1)
        head = client.head("%s?part-number=%d" % (slo, i + 1))
        assert (head.status, head.headers["Content-Length"]) == (206, str(len(data)))
        assert head.headers["Content-Range"] == got.headers["Content-Range"]
        at += len(data)
    for bad in ("0", "-1", "x", ""):
        res = client.get("%s?part-number=%s" % (slo, bad))
        assert (res.status, res.text) == (400, "Part number must be an integer greater than 0")
    res = client.get(slo + "?part-number=5")
    assert (res.status, res.headers["X-Parts-Count"]) == (416, "4")
    assert client.head(slo + "?part-number=5").status == 416
    assert client.get(slo + "?part-number=1", headers={"Range": "bytes=0-1"}).status == 400
    got = client.get(segments + "/0?part-number=2")
    assert (got.status, got.body) == (200, SEGMENTS[0])


# ---- manifests in manifests ----

def test_nested(client, container, segments, slo):
    entries = [{"path": slo}, {"path": "/" + slo, "range": "8-12"}, {"data": "IQ=="},
               {"path": "/%s/2" % segments}]
    res = put(client, container + "/nest", entries)
    assert res.status == 201
    inner = client.head(slo).headers["Etag"].strip('"')
    assert res.headers["Etag"] == slo_etag(inner, inner, ":8-12;", md5(b"!"), md5(SEGMENTS[2]))
    want = CONTENT + CONTENT[8:13] + b"!" + SEGMENTS[2]
    assert client.get(container + "/nest").body == want
    for first in range(0, len(want), 3):
        got = client.get(container + "/nest", headers={"Range": "bytes=%d-%d" % (first, first + 7)})
        assert got.body == want[first:first + 8]
    rows = client.get(container + "/nest?multipart-manifest=get").json
    assert rows[0]["sub_slo"] is True and rows[0]["bytes"] == len(CONTENT)
    assert "sub_slo" not in rows[3]
    assert client.get(container + "/nest?part-number=1").body == CONTENT


def test_ten_deep(client, container, segments):
    below = "%s/0" % segments
    for depth in range(1, 12):
        path = "%s/d%d" % (container, depth)
        assert put(client, path, [{"path": below}, {"path": "/%s/3" % segments}]).status == 201
        got = client.get(path)
        if depth <= 10:
            assert (got.status, got.body) == (200, SEGMENTS[0] + b"+" * depth)
        else:
            assert got.status == 409
        below = path


def test_changed_submanifest(client, container, segments, slo):
    assert put(client, container + "/nest", [{"path": slo}]).status == 201
    assert put(client, slo, manifest(segments, 0, 1)).status == 201
    assert client.get(container + "/nest").status == 409


# ---- segments that are not what they were ----

def test_first_segment_missing(client, segments, slo):
    assert client.delete(segments + "/0").status == 204
    assert client.get(slo).status == 409
    assert client.get(slo, headers={"Range": "bytes=0-3,12-13"}).status == 409
    assert client.head(slo).status == 200
    got = client.get(slo, headers={"Range": "bytes=10-"})
    assert (got.status, got.body) == (206, CONTENT[10:])


@pytest.mark.parametrize("data", [b"9876543210", b"short", b"much longer than it was before"])
def test_first_segment_changed(client, segments, slo, data):
    assert client.put(segments + "/0", body=data).status == 201
    assert client.get(slo).status == 409


def test_later_segment_missing(client, segments, slo):
    assert client.delete(segments + "/1").status == 204
    with pytest.raises(http.client.IncompleteRead) as error:
        client.get(slo)
    assert error.value.partial == SEGMENTS[0]


def test_later_segment_changed(client, segments, slo):
    assert client.put(segments + "/2", body=b"EDCBA").status == 201
    with pytest.raises(http.client.IncompleteRead) as error:
        client.get(slo)
    assert error.value.partial == CONTENT[:40]


# ---- POST, COPY, DELETE ----

def test_post_keeps_it(client, container, slo):
    assert client.post(slo, headers={"X-Object-Meta-New": "1",
                                     "Content-Type": "text/x-new"}).status == 202
    got = client.get(slo)
    assert (got.body, got.headers["X-Object-Meta-New"]) == (CONTENT, "1")
    assert got.headers["Content-Type"] == "text/x-new"
    assert "X-Object-Meta-Colour" not in got.headers
    row = client.get(container, query={"format": "json"}).json[0]
    assert (row["bytes"], row["content_type"]) == (len(CONTENT), "text/x-new")
    assert row["slo_etag"] == got.headers["Etag"]


def test_plain_put_replaces_it(client, container, slo):
    assert client.put(slo, body=b"plain").status == 201
    got = client.get(slo)
    assert got.body == b"plain" and "X-Static-Large-Object" not in got.headers
    row = client.get(container, query={"format": "json"}).json[0]
    assert row["bytes"] == 5 and "slo_etag" not in row


def test_copy_of_the_content(client, container, segments, slo):
    assert client.copy(slo, container + "/copy").status == 201
    client.delete(segments + "/0")
    got = client.get(container + "/copy")
    assert (got.body, got.headers["Etag"]) == (CONTENT, md5(CONTENT))
    assert "X-Static-Large-Object" not in got.headers
    assert got.headers["X-Object-Meta-Colour"] == "red"
    assert client.get(container + "/copy", headers={"If-Match": md5(CONTENT)}).status == 200
    rows = client.get(container, query={"format": "json"}).json
    assert rows[0]["bytes"] == len(CONTENT) and "slo_etag" not in rows[0]
    assert rows[0]["hash"] == md5(CONTENT)


def test_copy_of_the_manifest(client, container, segments, slo):
    res = client.copy(slo + "?multipart-manifest=get", container + "/copy")
    assert res.status == 201
    got = client.get(container + "/copy")
    assert (got.body, got.headers["X-Static-Large-Object"]) == (CONTENT, "True")
    assert got.headers["Etag"] == client.head(slo).headers["Etag"]
    assert client.get(container + "/copy?multipart-manifest=get").json == \
        client.get(slo + "?multipart-manifest=get").json


def test_plain_delete_keeps_segments(client, segments, slo):
    assert client.delete(slo).status == 204
    assert client.get(slo).status == 404
    assert len(client.list(segments)) == len(SEGMENTS)


def test_delete_everything(client, container, segments, slo):
    res = client.delete(slo + "?multipart-manifest=delete")
    assert (res.status, res.headers["Content-Type"]) == (200, "text/plain")
    assert res.headers["Transfer-Encoding"] == "chunked"
    assert res.text == ("Number Deleted: 5\nNumber Not Found: 0\nResponse Body: \n"
                        "Response Status: 200 OK\nErrors:\n")
    assert client.list(segments) == [] and client.list(container) == []


def test_delete_with_something_missing(client, segments, slo):
    client.delete(segments + "/2")
    res = client.delete(slo + "?multipart-manifest=delete", headers={"Accept": "application/json"})
    assert res.json == {"Response Status": "200 OK", "Response Body": "", "Number Deleted": 4,
                        "Number Not Found": 1, "Errors": []}


def test_delete_of_what_is_none(client, segments):
    res = client.delete(segments + "/0?multipart-manifest=delete",
                        headers={"Accept": "application/json"})
    assert res.status == 200
    assert res.json == {"Response Status": "400 Bad Request", "Response Body": "",
                        "Number Deleted": 0, "Number Not Found": 0,
                        "Errors": [["/%s/0" % segments, "Not an SLO manifest"]]}
    assert client.head(segments + "/0").status == 200
    res = client.delete(segments + "/none?multipart-manifest=delete",
                        headers={"Accept": "text/xml"})
    assert res.text == ("<delete>\n<number_deleted>0</number_deleted>\n"
                        "<number_not_found>1</number_not_found>\n<response_body></response_body>\n"
                        "<response_status>200 OK</response_status>\n<errors>\n</errors>\n"
                        "</delete>\n")
    res = client.delete(segments + "/0?multipart-manifest=delete",
                        headers={"Accept": "image/png"})
    assert (res.status, res.lines[3]) == (200, "Response Status: 406 Not Acceptable")


def test_delete_nested(client, container, segments, slo):
    entries = [{"path": slo}, {"path": "/%s/0" % segments, "range": "1-2"}, {"data": "IQ=="}]
    assert put(client, container + "/nest", entries).status == 201
    res = client.delete(container + "/nest?multipart-manifest=delete",
                        headers={"Accept": "application/json"})
    assert res.json["Errors"] == []
    assert res.json["Number Deleted"] == 6
    assert client.list(segments) == [] and client.list(container) == []


def test_delete_async(client, container, segments, slo):
    res = client.delete(slo + "?multipart-manifest=delete&async=on")
    assert (res.status, res.body) == (204, b"")
    assert client.get(slo).status == 404
    end = time.time() + 20
    while client.head(segments + "/0").status == 200 and time.time() < end:
        time.sleep(0.2)
    assert [client.head("%s/%d" % (segments, i)).status for i in range(4)] == [404] * 4


def test_delete_async_refusals(client, container, segments, slo):
    assert client.delete(segments + "/0?multipart-manifest=delete&async=on").status == 400
    assert client.delete(segments + "/none?multipart-manifest=delete&async=on").status == 404
    assert put(client, container + "/nest", [{"path": slo}]).status == 201
    res = client.delete(container + "/nest?multipart-manifest=delete&async=on")
    assert (res.status, res.text) == (400, "No segments may be large objects.")
    assert client.put(container + "/mine", body=b"x").status == 201
    assert put(client, container + "/two",
               manifest(segments, 0) + [{"path": container + "/mine"}]).status == 201
    res = client.delete(container + "/two?multipart-manifest=delete&async=on")
    assert res.status == 400 and "All segments must be in one container" in res.text
    assert client.head(container + "/two").status == 200
    assert client.head(segments + "/0").status == 200


# ---- rights ----

def test_segments_need_the_readers_rights(cluster, client, container, segments, slo):
    reader = cluster.client("tester3")
    path = "%s/%s" % (client.account, slo)
    assert client.post(container, headers={"X-Container-Read": "test:tester3"}).status == 204
    assert reader.head(path).status == 200
    assert reader.get(path).status == 409
    assert client.post(segments, headers={"X-Container-Read": "test:tester3"}).status == 204
    assert reader.get(path).body == CONTENT
    reader.close()


def test_manifest_needs_read_rights_on_segments(cluster, client, container, segments):
    writer = cluster.client("tester3")
    path = "%s/%s/o" % (client.account, container)
    assert client.post(container, headers={"X-Container-Write": "test:tester3"}).status == 204
    res = put(writer, path, manifest(segments, 0))
    assert (res.status, res.lines) == (400, ["Errors:", "/%s/0, 403 Forbidden" % segments])
    assert client.post(segments, headers={"X-Container-Read": "test:tester3"}).status == 204
    assert put(writer, path, manifest(segments, 0)).status == 201
    res = writer.delete(path + "?multipart-manifest=delete", headers={"Accept": "text/plain"})
    assert "/%s/0, 403 Forbidden" % segments in res.lines or \
        "/%s/o, Unable to load SLO manifest or segment." % container in res.lines
    assert client.head(segments + "/0").status == 200
    writer.close()


def test_delete_async_needs_write_rights(cluster, client, container, segments, slo):
    reader = cluster.client("tester3")
    path = "%s/%s" % (client.account, slo)
    for name, headers in ((container, {"X-Container-Read": "test:tester3"}),
                          (segments, {"X-Container-Read": "test:tester3",
                                      "X-Container-Write": "test:tester3"})):
        assert client.post(name, headers=headers).status == 204
    assert reader.delete(path + "?multipart-manifest=delete&async=on").status == 403
    time.sleep(1.5)
    assert client.get(slo).body == CONTENT
    reader.close()


def test_public_by_referrer(client, anonymous, container, segments, slo):
    path = "%s/%s" % (client.account, slo)
    for name in (container, segments):
        assert client.post(name, headers={"X-Container-Read": ".r:example.com"}).status == 204
    assert anonymous.get(path, headers={"Referer": "http://example.com/x"}).body == CONTENT
    assert anonymous.get(path).status == 401


def temporary(client, path, key):
    expires = int(time.time()) + 60
    text = "GET\n%d\n%s" % (expires, path)
    sig = hmac.new(key.encode(), text.encode(), "sha256").hexdigest()
    return "%s?temp_url_sig=%s&temp_url_expires=%d" % (path, sig, expires)


def test_temporary_urls_reach_as_far_as_their_key(client, anonymous, container, segments, slo):
    """The container's key opens the manifest, but not segments in another container."""
    path = "%s/%s" % (client.account, slo)
    assert client.post(container, headers={"X-Container-Meta-Temp-URL-Key": "k"}).status == 204
    assert anonymous.get(temporary(client, path, "k")).status == 409
    assert put(client, container + "/in", [{"path": container + "/x"}]).status == 400
    assert client.put(container + "/x", body=b"here").status == 201
    assert put(client, container + "/in", [{"path": container + "/x"}]).status == 201
    inside = "%s/%s/in" % (client.account, container)
    assert anonymous.get(temporary(client, inside, "k")).body == b"here"
    key = "X-Account-Meta-Temp-URL-Key"
    old = client.head("").headers.get(key, "")
    try:
        assert client.post("", headers={key: "account"}).status == 204
        assert anonymous.get(temporary(client, path, "account")).body == CONTENT
    finally:
        client.post("", headers={key: old})


# ---- size and speed ----

def test_many_segments(client, container, segments):
    """A thousand segments, ranges of which open only what they need."""
    order = [i % 4 for i in range(1000)]
    want = b"".join(SEGMENTS[i] for i in order)
    assert put(client, container + "/o", manifest(segments, *order)).status == 201
    assert client.get(container + "/o").body == want
    got = client.get(container + "/o", headers={"Range": "bytes=-20"})
    assert got.body == want[-20:]


def test_broken_off_downloads_do_no_harm(cluster, client, container, segments):
    order = [1] * 500
    assert put(client, container + "/o", manifest(segments, *order)).status == 201
    for _ in range(20):
        with cluster.raw() as r:
            r.send("GET %s/%s/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\n\r\n"
                   % (client.account, container, client.token))
            r.socket.recv(200)
    assert client.get(container + "/o").body == SEGMENTS[1] * 500


# ---- real clients ----

@pytest.mark.limit_s(240)
def test_swift_client(cluster, container, tmp_path):
    env = {"ST_AUTH": cluster.endpoint + "/auth/v1.0", "ST_USER": "test:tester",
           "ST_KEY": "testing", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def swift(*args):
        done = subprocess.run(("swift",) + args, env=env, cwd=tmp_path, capture_output=True,
                              text=True, check=False, timeout=100)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    data = bytes(range(256)) * 4096 * 4
    (tmp_path / "big").write_bytes(data)
    swift("upload", container, "big", "-S", "1000000", "--use-slo")
    swift("download", container, "big", "-o", "got")
    assert (tmp_path / "got").read_bytes() == data
    swift("upload", container, "big", "-S", "1500000", "--use-slo", "--changed")
    swift("delete", container, "big")
    assert swift("list", container + "_segments").strip() == ""
    swift("delete", container + "_segments")
