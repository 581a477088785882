"""Versions in another container: X-Versions-Location (a stack) and X-History-Location."""
import uuid

import pytest

from tests.harness.swift import is_timestamp, quote

MARKER = "application/x-deleted;swift_versions_deleted=1"


@pytest.fixture
def archive(client):
    name = "v-" + uuid.uuid4().hex[:12]
    assert client.put(name).status == 201
    yield name
    client.empty(name)


@pytest.fixture
def stack(client, container, archive):
    assert client.post(container, headers={"X-Versions-Location": archive}).status == 204
    yield container
    client.post(container, headers={"X-Remove-Versions-Location": "x"})


@pytest.fixture
def history(client, container, archive):
    assert client.post(container, headers={"X-History-Location": archive}).status == 204
    yield container
    client.post(container, headers={"X-Remove-History-Location": "x"})


def rows(client, container):
    return client.get(container, query="format=json").json


def test_headers(client, container, archive):
    assert client.post(container, headers={"X-Versions-Location": archive}).status == 204
    for method in ("GET", "HEAD"):
        res = client.request(method, container)
        assert res.headers["X-Versions-Location"] == archive
        assert "X-History-Location" not in res.headers
    assert client.put(container, headers={"X-History-Location": archive}).status == 202
    res = client.head(container)
    assert res.headers["X-History-Location"] == archive
    assert "X-Versions-Location" not in res.headers
    for remove in ({"X-Remove-History-Location": "x"}, {"X-History-Location": ""},
                   {"X-Remove-Versions-Location": "x"}, {"X-Versions-Location": ""}):
        client.post(container, headers={"X-Versions-Location": archive})
        assert client.post(container, headers=remove).status == 204
        res = client.head(container)
        assert "X-Versions-Location" not in res.headers
        assert "X-History-Location" not in res.headers


def test_setting_wins_over_removing(client, container, archive):
    client.post(container, headers={"X-Versions-Location": archive,
                                    "X-Remove-Versions-Location": "x"})
    assert client.head(container).headers["X-Versions-Location"] == archive
    client.post(container, headers={"X-Versions-Location": "", "X-History-Location": archive})
    assert client.head(container).headers["X-History-Location"] == archive
    client.post(container, headers={"X-Versions-Location": archive, "X-History-Location": ""})
    assert client.head(container).headers["X-Versions-Location"] == archive


def test_only_one_of_both(client, container, archive):
    res = client.post(container, headers={"X-Versions-Location": archive,
                                          "X-History-Location": archive})
    assert (res.status, res.text) == (
        400, "Only one of x-versions-location or x-history-location may be specified")


def test_no_slashes(client, container):
    res = client.post(container, headers={"X-Versions-Location": "a/b"})
    assert (res.status, res.text) == (412, "Container name cannot contain slashes")


def test_put_keeps_what_was_there(client, stack, archive):
    name = "ä o/b"
    prefix = "%03x%s/" % (len(name.encode()), name)
    for i in range(3):
        res = client.put(quote(stack, name), b"%d" % i, headers={
            "Content-Type": "text/%d" % i, "X-Object-Meta-N": str(i)})
        assert res.status == 201
    assert client.get(quote(stack, name)).body == b"2"
    got = rows(client, archive)
    assert [r["content_type"] for r in got] == ["text/0", "text/1"]
    for i, row in enumerate(got):
        assert row["name"].startswith(prefix)
        assert is_timestamp(row["name"][len(prefix):])
        res = client.get(quote(archive, row["name"]))
        assert (res.body, res.headers["X-Object-Meta-N"]) == (b"%d" % i, str(i))
    assert client.post(quote(stack, name), headers={"X-Object-Meta-N": "x"}).status == 202
    assert len(rows(client, archive)) == 2


def test_delete_pops(client, stack, archive):
    for i in range(3):
        client.put(stack + "/o", b"%d" % i, headers={"X-Object-Meta-N": str(i)})
    for i in (1, 0):
        assert client.delete(stack + "/o").status == 204
        res = client.get(stack + "/o")
        assert (res.body, res.headers["X-Object-Meta-N"]) == (b"%d" % i, str(i))
        assert len(rows(client, archive)) == i
    assert client.delete(stack + "/o").status == 204
    assert client.get(stack + "/o").status == 404
    assert client.delete(stack + "/o").status == 404


def test_other_names_are_left_alone(client, stack, archive):
    client.put(stack + "/o", b"0")
    client.put(stack + "/o2", b"x")
    client.put(stack + "/o2", b"y")
    assert client.delete(stack + "/o").status == 204
    assert client.get(stack + "/o").status == 404
    assert client.get(stack + "/o2").body == b"y"
    assert len(rows(client, archive)) == 1


def test_history_keeps_deletions(client, history, archive):
    client.put(history + "/o", b"0")
    client.put(history + "/o", b"1")
    assert client.delete(history + "/o").status == 204
    assert client.get(history + "/o").status == 404
    got = rows(client, archive)
    assert [r["content_type"] == MARKER for r in got] == [False, False, True]
    assert got[2]["bytes"] == 0
    assert client.delete(history + "/o").status == 404
    assert [r["content_type"] for r in rows(client, archive)][2:] == [MARKER, MARKER]
    client.put(history + "/o", b"2")
    assert len(rows(client, archive)) == 4


def test_stack_over_history(client, history, archive):
    """Markers that history left: a DELETE brings back what was deleted."""
    client.put(history + "/o", b"0")
    client.put(history + "/o", b"1")
    client.delete(history + "/o")
    client.post(history, headers={"X-Versions-Location": archive})
    assert client.delete(history + "/o").status == 204
    assert client.get(history + "/o").body == b"1"
    assert len(rows(client, archive)) == 1
    client.post(history, headers={"X-History-Location": archive})
    client.delete(history + "/o")
    client.put(history + "/o", b"2")
    client.post(history, headers={"X-Versions-Location": archive})
    assert client.delete(history + "/o").status == 204      # back to the marker
    assert client.get(history + "/o").status == 404
    assert len(rows(client, archive)) == 3


def test_archive_missing(client, container):
    client.put(container + "/o", b"0")
    client.post(container, headers={"X-Versions-Location": "missing-" + container})
    assert client.put(container + "/new", b"0").status == 201
    assert client.put(container + "/o", b"1").status == 412
    assert client.get(container + "/o").body == b"0"
    assert client.delete(container + "/o").status == 204
    client.post(container, headers={"X-Versions-Location": ""})


def test_links_are_kept_as_links(client, stack, archive):
    etag = client.put(stack + "/target", b"target").headers["Etag"]
    client.put(stack + "/link", headers={"X-Symlink-Target": stack + "/target",
                                         "X-Symlink-Target-Etag": etag})
    client.put(stack + "/link", b"plain")
    row = [r for r in rows(client, archive) if r["name"].startswith("004link/")][0]
    assert row["symlink_path"] == client.path(stack + "/target")
    assert (row["symlink_etag"], row["symlink_bytes"]) == (etag, 6)
    assert client.delete(stack + "/link").status == 204
    res = client.head(stack + "/link", query="symlink=get")
    assert res.headers["X-Symlink-Target"] == stack + "/target"
    assert client.get(stack + "/link").body == b"target"


def test_who_may_not_write_changes_nothing(cluster, client, anonymous, stack, archive):
    other = cluster.client("tester3")
    client.put(stack + "/o", b"0")
    client.put(stack + "/o", b"1")
    assert other.put(stack + "/o", b"x").status == 403
    assert other.delete(stack + "/o").status == 403
    assert anonymous.delete(client.path(stack + "/o")).status == 401
    assert len(rows(client, archive)) == 1
    client.post(stack, headers={"X-Container-Write": "test:tester3"})
    assert other.put(stack + "/o", b"2").status == 201      # without rights on the archive
    assert len(rows(client, archive)) == 2
    assert other.delete(stack + "/o").status == 204
    assert client.get(stack + "/o").body == b"1"
    other.close()


def test_info(client):
    assert client.get("/info").json["versioned_writes"] == {
        "allowed_flags": ["x-versions-location", "x-history-location"]}


@pytest.mark.parametrize("value", ["%00versions%00other", "a/b", "/a"])
def test_archives_that_are_refused(client, container, value):
    for header in ("X-Versions-Location", "X-History-Location"):
        assert client.post(container, headers={header: value}).status == 412
        assert header not in client.head(container).headers
