"""COPY and X-Copy-From."""
import pytest


@pytest.fixture
def source(client, container):
    assert client.put(container + "/s", body=b"0123456789", headers={
        "Content-Type": "text/x-src", "X-Object-Meta-Old": "1",
        "Content-Encoding": "none", "Content-Disposition": "inline"}).status == 201
    return container


def test_copy(client, source):
    res = client.copy(source + "/s", "/%s/d" % source, headers={"X-Object-Meta-New": "2"})
    assert res.status == 201, res
    assert res.headers["X-Copied-From"] == source + "/s"
    assert res.headers["X-Copied-From-Account"] == "AUTH_test"
    assert res.headers["X-Copied-From-Last-Modified"] == \
        client.head(source + "/s").headers["Last-Modified"]
    assert res.headers["X-Object-Meta-Old"] == "1"
    got = client.get(source + "/d")
    assert (got.status, got.body) == (200, b"0123456789")
    assert got.headers["Content-Type"] == "text/x-src"
    assert got.headers["X-Object-Meta-Old"] == "1" and got.headers["X-Object-Meta-New"] == "2"
    assert got.headers["Content-Disposition"] == "inline"


def test_put_from(client, source):
    res = client.put(source + "/d", headers={"X-Copy-From": source + "/s",
                                             "Content-Type": "text/x-new"})
    assert res.status == 201
    got = client.get(source + "/d")
    assert got.body == b"0123456789" and got.headers["Content-Type"] == "text/x-new"


def test_fresh_metadata(client, source):
    assert client.copy(source + "/s", source + "/d", headers={
        "X-Fresh-Metadata": "true", "X-Object-Meta-New": "2"}).status == 201
    got = client.head(source + "/d")
    assert "X-Object-Meta-Old" not in got.headers and got.headers["X-Object-Meta-New"] == "2"
    assert got.headers["Content-Type"] == "text/x-src"


def test_onto_itself(client, source):
    assert client.copy(source + "/s", source + "/s",
                       headers={"X-Object-Meta-Old": "9"}).status == 201
    assert client.head(source + "/s").headers["X-Object-Meta-Old"] == "9"


def test_names(client, source):
    assert client.copy(source + "/s", source + "/a%20b/%C3%A4%25").status == 201
    assert client.get(source + "/a%20b/%C3%A4%25").body == b"0123456789"
    assert client.put(source + "/z", headers={
        "X-Copy-From": "/" + source + "/a%20b/%C3%A4%25"}).status == 201


def test_ranges_and_conditions(client, source):
    etag = client.head(source + "/s").headers["Etag"]
    assert client.copy(source + "/s", source + "/d",
                       headers={"Range": "bytes=2-4"}).status == 201
    assert client.get(source + "/d").body == b"234"
    assert client.copy(source + "/s", source + "/e",
                       headers={"If-None-Match": etag}).status == 304
    assert client.copy(source + "/s", source + "/e", headers={"If-Match": "x"}).status == 412
    assert client.head(source + "/e").status == 404


def test_other_account(cluster, client, source):
    other = cluster.client("other")
    assert other.put("landing").status == 201
    try:
        assert client.copy(source + "/s", "landing/d", headers={
            "Destination-Account": "AUTH_test2"}).status == 403
        assert other.post("landing", headers={"X-Container-Write": "test"}).status == 204
        assert client.copy(source + "/s", "landing/d", headers={
            "Destination-Account": "AUTH_test2"}).status == 201
        assert other.get("landing/d").body == b"0123456789"
        assert other.put("landing/mine", headers={
            "X-Copy-From": source + "/s", "X-Copy-From-Account": "AUTH_test"}).status == 403
    finally:
        other.empty("landing")
        other.close()


def test_refusals(client, source):
    def copy(**headers):
        return client.request("COPY", source + "/s", headers={
            k.replace("_", "-"): v for k, v in headers.items()}).status

    assert copy() == 412
    assert copy(Destination="onlycontainer") == 412
    assert copy(Destination="/c/") == 412
    assert copy(Destination=source + "/d", Destination_Account="a/b") == 412
    assert copy(Destination="no-such-container/d") == 404
    assert client.copy(source + "/nothere", source + "/d").status == 404
    assert client.request("COPY", source, headers={"Destination": "x/y"}).status == 405
    assert client.put(source + "/d", body=b"body", headers={
        "X-Copy-From": source + "/s"}).status == 400
    assert client.put(source + "/d", headers={"X-Copy-From": "x"}).status == 412
    assert client.put(source + "/plain", body=b"p", headers={"X-Copy-From": ""}).status == 201
