"""Metadata definitions: namespaces and what is in them."""
import pytest


@pytest.fixture
def ns(admin):
    name = "ns-test"
    admin.delete("metadefs/namespaces/" + name)
    res = admin.send("POST", "metadefs/namespaces", {"namespace": name, "visibility": "public"})
    assert res.status == 201, res
    yield "metadefs/namespaces/" + name
    admin.send("PUT", "metadefs/namespaces/" + name, {"namespace": name, "protected": False})
    assert admin.delete("metadefs/namespaces/" + name).status in (204, 404)


def test_namespaces(admin, one, ns):
    doc = one.get(ns).json
    assert doc["namespace"] == "ns-test" and doc["protected"] is False
    assert doc["schema"] == "/v2/schemas/metadefs/namespace" and doc["owner"] == "admin"
    names = [n["namespace"] for n in one.get("metadefs/namespaces").json["namespaces"]]
    assert "ns-test" in names
    assert admin.send("POST", "metadefs/namespaces", {"namespace": "ns-test"}).status == 409
    assert one.send("POST", "metadefs/namespaces", {"namespace": "x"}).status == 403
    doc = admin.send("PUT", ns, {"namespace": "ns-test", "visibility": "private",
                                 "protected": True, "description": "d"}).json
    assert doc["visibility"] == "private" and doc["description"] == "d"
    assert one.get(ns).status == 404 and admin.delete(ns).status == 403
    for bad in ({}, {"namespace": "x" * 81}, {"namespace": "ns-test", "visibility": "all"},
                {"namespace": "ns-test", "protected": "no"}, {"namespace": "a/b"}):
        assert admin.send("POST", "metadefs/namespaces", bad).status == 400, bad


@pytest.mark.parametrize("kind,item", [
    ("objects", {"name": "o", "description": "d", "properties": {"p": {"type": "string"}}}),
    ("properties", {"name": "p", "title": "t", "type": "string", "enum": ["a"]}),
])
def test_items(admin, one, ns, kind, item):
    path = "%s/%s" % (ns, kind)
    doc = admin.send("POST", path, item).json
    assert {k: doc[k] for k in item} == item
    assert admin.send("POST", path, item).status == 409
    assert admin.send("POST", path, {}).status == 400
    assert one.send("POST", path, dict(item, name="x")).status == 403
    assert one.get("%s/%s" % (path, item["name"])).json == doc
    assert len(one.get(path).json[kind]) == 1
    assert kind in one.get(ns).json
    renamed = admin.send("PUT", "%s/%s" % (path, item["name"]), dict(item, name="new"))
    assert renamed.status == 200 and renamed.json["name"] == "new"
    assert one.get("%s/%s" % (path, item["name"])).status == 404
    assert admin.delete(path + "/new").status == 204
    assert admin.delete(path + "/new").status == 404


def test_tags(admin, one, ns):
    res = admin.send("POST", ns + "/tags", {"tags": [{"name": "a"}, {"name": "b"}]})
    assert [t["name"] for t in res.json["tags"]] == ["a", "b"]
    assert admin.send("POST", ns + "/tags/c").status == 201
    assert admin.send("POST", ns + "/tags/c").status == 409
    assert admin.send("PUT", ns + "/tags/c", {"name": "d"}).json["name"] == "d"
    assert sorted(t["name"] for t in one.get(ns + "/tags").json["tags"]) == ["a", "b", "d"]
    assert admin.delete(ns + "/tags").status == 204
    assert one.get(ns + "/tags").json["tags"] == []


def test_resource_types(admin, one, ns):
    known = [t["name"] for t in one.get("metadefs/resource_types").json["resource_types"]]
    assert "OS::Glance::Image" in known
    res = admin.send("POST", ns + "/resource_types", {"name": "My::Type", "prefix": "x_"})
    assert res.status == 201 and res.json["prefix"] == "x_"
    listed = one.get(ns + "/resource_types").json["resource_type_associations"]
    assert [t["name"] for t in listed] == ["My::Type"]
    found = one.get("metadefs/namespaces", query="resource_types=My::Type").json["namespaces"]
    assert [n["namespace"] for n in found] == ["ns-test"]
    assert admin.delete(ns + "/resource_types/My::Type").status == 204
    assert one.get("metadefs/namespaces", query="resource_types=My::Type").json["namespaces"] == []
