"""Listing images: filters, order, pages."""
import datetime
import time

import pytest


@pytest.fixture
def images(one):
    """Five images, made one after another, by name."""
    made = {}
    for i, name in enumerate("abcde"):
        fields = dict(name=name, tags=["t%d" % (i % 2), "all"], min_ram=i, os_distro="d%d" % i)
        if i < 3:
            fields.update(disk_format="raw", container_format="bare")
        made[name] = one.create(**fields)
    one.upload(made["a"]["id"], b"x" * 10)
    one.upload(made["b"]["id"], b"x" * 20)
    return made


def names(one, **query):
    return sorted(one.names(**query))


def test_order(one, images):
    assert one.names() == list("edcba")
    assert one.names(sort="name:asc") == list("abcde")
    assert one.names(sort="name") == list("edcba")
    assert one.names(sort_key="name", sort_dir="asc") == list("abcde")
    assert one.names(sort_key="created_at", sort_dir="asc") == list("abcde")
    assert one.names(sort="disk_format:desc,name:asc") == list("abcde")
    assert one.names(sort="size:desc,name:desc") == list("baedc")
    assert one.get("images", query="sort_key=disk_format&sort_dir=asc&sort_key=name&sort_dir=desc"
                   ).json["images"][0]["name"] == "e"
    for bad in ("sort=none", "sort=name:up", "sort_key=none", "sort_key=name&sort_dir=x",
                "sort=name&sort_key=name", "sort_key=name&sort_dir=asc&sort_dir=asc",
                "&".join(["sort_key=name"] * 9)):
        assert one.get("images", query=bad).status == 400, bad


def test_pages(one, images):
    page = one.get("images", query="limit=2&sort=name:asc").json
    assert [i["name"] for i in page["images"]] == ["a", "b"]
    assert page["schema"] == "/v2/schemas/images"
    assert page["first"] == "/v2/images?limit=2&sort=name%3Aasc"
    assert one.names(limit=2, sort="name:asc") == list("abcde")
    assert one.names(limit=1) == list("edcba")
    assert one.names(limit=5) == list("edcba")
    assert "next" not in one.get("images", query="limit=5").json
    assert one.get("images", query="limit=0").json["images"] == []
    assert [i["name"] for i in one.get("images", query={
        "marker": images["c"]["id"]}).json["images"]] == ["b", "a"]
    for bad in ("limit=-1", "limit=x", "limit=", "marker=none"):
        assert one.get("images", query=bad).status == 400, bad


def test_default_limit(one):
    for i in range(27):
        one.create(name="n%02d" % i)
    page = one.get("images").json
    assert len(page["images"]) == 25 and "next" in page
    assert one.names(sort="name:asc") == ["n%02d" % i for i in range(27)]


@pytest.mark.parametrize("query,found", [
    ({"name": "a"}, "a"), ({"name": "A"}, ""), ({"name": "in:a,c"}, "ac"),
    ({"name": 'in:"a",c'}, "ac"), ({"name": "neq:a"}, "bcde"), ({"status": "active"}, "ab"),
    ({"status": "in:queued,active"}, "abcde"), ({"disk_format": "raw"}, "abc"),
    ({"container_format": "bare", "name": "b"}, "b"), ({"container_format": "ovf"}, ""),
    ({"os_distro": "d3"}, "d"), ({"os_distro": "in:d3,d4"}, "de"), ({"none": "x"}, ""),
    ({"tag": "t0"}, "ace"), ({"tag": "t3"}, ""), ({"size": "10"}, "a"), ({"size": "gt:10"}, "b"),
    ({"size_min": "15"}, "b"), ({"size_max": "15"}, "a"),
    ({"size_min": "1", "size_max": "99"}, "ab"),
    ({"min_ram": "gte:3"}, "de"), ({"protected": "false"}, "abcde"), ({"protected": "True"}, ""),
    ({"owner": "one"}, "abcde"), ({"owner": "two"}, ""), ({"visibility": "shared"}, "abcde"),
    ({"visibility": "private"}, ""), ({"visibility": "all"}, "abcde"), ({"os_hidden": "true"}, ""),
])
def test_filters(one, images, query, found):
    assert names(one, **query) == sorted(found)


def test_several_tags(one, images):
    found = one.get("images", query="tag=t0&tag=all&sort=name:asc").json["images"]
    assert [i["name"] for i in found] == ["a", "c", "e"]
    assert one.get("images", query="tag=t0&tag=t1").json["images"] == []


@pytest.mark.parametrize("bad", [
    "size=x", "size_min=x", "size_max=-1", "size=in:1,2", "visibility=none", "member_status=none",
    "protected=maybe", "created_at=x", "created_at=in:2020-01-01T00:00:00Z", "name=in:%22a",
    "name=in:a%22b", "updated_at=gt:", "name=%ff"])
def test_bad_filters(one, bad):
    assert one.get("images", query=bad).status == 400


def test_times(one, images):
    first, last = images["a"]["created_at"], one.create(name="f")["created_at"]
    hour = (datetime.datetime.utcnow() - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert names(one, created_at="gt:" + hour) == list("abcdef")
    assert names(one, created_at="lt:" + hour) == []
    assert names(one, updated_at="gte:" + first) == list("abcdef")
    assert "f" in names(one, created_at=last) and "f" in names(one, created_at="lte:" + last)
    assert names(one, created_at="neq:" + hour) == list("abcdef")


def test_changed_since(one, images):
    """What a client polls for: everything that changed since it looked last."""
    since = one.show(images["a"]["id"])["updated_at"]
    while one.create(name="later")["created_at"] <= since:
        time.sleep(0.2)
    since = max(i["updated_at"] for i in one.get("images", query="name=later").json["images"])
    while True:
        doc = one.patch(images["c"]["id"], {"op": "replace", "path": "/min_disk", "value": 9})
        if doc["updated_at"] > since:
            break
        time.sleep(0.2)
    assert names(one, updated_at="gt:" + since) == ["c"]


def test_hidden(one):
    one.create(name="h", os_hidden=True)
    assert one.names() == [] and one.names(os_hidden="true") == ["h"]


def test_visibilities(one, two, admin):
    admin.create(name="pub", visibility="public")
    one.create(name="priv", visibility="private")
    one.create(name="comm", visibility="community")
    assert names(two) == ["pub"]
    assert names(two, visibility="all") == ["comm", "pub"]
    assert names(one) == ["comm", "priv", "pub"]
    assert names(one, visibility="public") == ["pub"]
    assert set(names(admin)) >= {"comm", "priv", "pub"}


def test_next_keeps_the_query(one):
    for i in range(4):
        one.create(name="x y&z", n=str(i), tags=["a", "b"])
    assert one.names(limit=1, name="x y&z") == ["x y&z"] * 4
    page = one.get("images", query="tag=a&tag=b&limit=3").json
    assert len(one.get(page["next"]).json["images"]) == 1


def test_listing_costs_no_read_per_image(one, compute_cluster):
    """Records that did not change are not read again."""
    for i in range(30):
        one.create(name="n%d" % i)
    one.get("images")

    def reads():
        page = compute_cluster.client(None).get("/metrics").text
        return sum(float(x.rpartition(" ")[2]) for x in page.splitlines()
                   if x.startswith("needletail_proxy_requests_total") and 'method="GET"' in x)
    before = reads()
    for _ in range(10):
        assert len(one.get("images", query="limit=100").json["images"]) == 30
    assert reads() - before <= 45
