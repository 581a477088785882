"""Images without bytes: create, show, change, delete, share. Glance v2."""
import threading
import uuid

import pytest

from tests.compute.service import PATCH_OLD

FIELDS = {"name": None, "status": "queued", "visibility": "shared", "protected": False,
          "os_hidden": False, "checksum": None, "os_hash_algo": None, "os_hash_value": None,
          "size": None, "virtual_size": None, "container_format": None, "disk_format": None,
          "tags": [], "min_ram": 0, "min_disk": 0, "schema": "/v2/schemas/image"}


def test_create(one):
    res = one.send("POST", "images", {})
    image = res.json
    assert res.status == 201
    assert res.headers["Location"].endswith("/v2/images/" + image["id"])
    assert res.headers["OpenStack-image-import-methods"] == "glance-direct,copy-image"
    assert {k: image[k] for k in FIELDS} == FIELDS
    assert image["owner"] == "one" and image["created_at"] == image["updated_at"]
    assert image["self"] == "/v2/images/" + image["id"]
    assert image["file"] == image["self"] + "/file"
    assert set(image) == set(FIELDS) | {"id", "owner", "created_at", "updated_at", "self", "file"}
    assert one.show(image["id"]) == image


def test_create_with_everything(one):
    mine = str(uuid.uuid4())
    image = one.create(id=mine, name="näme", tags=["b", "a", "b"], disk_format="qcow2",
                       container_format="bare", min_ram=64, min_disk=1, protected=True,
                       os_hidden=True, visibility="private",
                       **{"owner_specified.openstack.object": "images/x", "empty": ""})
    assert image["id"] == mine and image["name"] == "näme" and image["tags"] == ["b", "a"]
    assert image["owner_specified.openstack.object"] == "images/x" and image["empty"] == ""
    assert image["min_ram"] == 64 and image["protected"] is True
    one.create(id=mine, status=409)


@pytest.mark.parametrize("fields,status", [
    ({"name": "x" * 256}, 400), ({"name": 1}, 400), ({"id": "x"}, 400),
    ({"disk_format": "wrong"}, 400), ({"container_format": "wrong"}, 400),
    ({"disk_format": 7}, 400), ({"min_ram": -1}, 400), ({"min_ram": "1"}, 400),
    ({"min_disk": 1 << 31}, 400), ({"protected": "yes"}, 400), ({"visibility": "all"}, 400),
    ({"tags": "x"}, 400), ({"tags": [1]}, 400), ({"tags": ["x" * 256]}, 400),
    ({"prop": 1}, 400), ({"prop": None}, 400), ({"": "x"}, 400), ({"p" * 256: "x"}, 400),
    ({"size": 1}, 403), ({"created_at": "x"}, 403), ({"checksum": "x"}, 403),
    ({"os_glance_x": "x"}, 403), ({"owner": "two"}, 403), ({"visibility": "public"}, 403),
    ({"p%d" % i: "x" for i in range(129)}, 413),
])
def test_bad_fields(one, fields, status):
    res = one.send("POST", "images", fields)
    assert res.status == status, res


def test_status_is_ours(one):
    assert one.send("POST", "images", {"status": "active"}).status == 403


def test_readers_change_nothing(one, reader):
    image = one.create(name="x")["id"]
    assert reader.show(image)["name"] == "x"
    assert reader.send("POST", "images", {}).status == 403
    assert reader.patch(image, {"op": "replace", "path": "/name", "value": "y"}, status=403)
    assert reader.delete("images/" + image).status == 403
    assert reader.put("images/%s/tags/x" % image).status == 403


def test_others_see_nothing(one, two, admin):
    image = one.create(name="secret", visibility="private")["id"]
    steps = {"op": "replace", "path": "/name", "value": "y"}
    for path in ("", "/file", "/members", "/tasks"):
        assert two.get("images/%s%s" % (image, path)).status == 404, path
    two.patch(image, steps, status=404)
    assert two.delete("images/" + image).status == 404
    assert two.put("images/%s/tags/x" % image).status == 404
    assert two.post("images/%s/actions/deactivate" % image).status == 404
    assert two.put("images/%s/file" % image, b"x", headers={
        "Content-Type": "application/octet-stream"}).status == 404
    assert "secret" not in two.names()
    assert admin.show(image)["name"] == "secret" and "secret" in admin.names()
    assert admin.patch(image, steps)["name"] == "y"


def test_missing(one):
    for image in (str(uuid.uuid4()), "x", "..", "%00", "x" * 300):
        assert one.get("images/" + image).status == 404, image
        assert one.delete("images/" + image).status == 404, image


def test_patch(one):
    image = one.create(name="a", prop="1", tags=["x"])["id"]
    doc = one.patch(image, {"op": "add", "path": "/name", "value": "b"},
                    {"op": "replace", "path": "/prop", "value": "2"},
                    {"op": "add", "path": "/with~1slash~0", "value": "3"},
                    {"op": "add", "path": "/tags", "value": ["y", "z", "y"]},
                    {"op": "replace", "path": "/min_ram", "value": 5},
                    {"op": "replace", "path": "/disk_format", "value": "raw"})
    assert doc["name"] == "b" and doc["prop"] == "2" and doc["with/slash~"] == "3"
    assert doc["tags"] == ["y", "z"] and doc["min_ram"] == 5 and doc["disk_format"] == "raw"
    doc = one.patch(image, {"op": "remove", "path": "/prop"},
                    {"op": "remove", "path": "/with~1slash~0"})
    assert "prop" not in doc and "with/slash~" not in doc
    assert one.show(image) == doc
    assert one.patch(image) == dict(doc, updated_at=one.show(image)["updated_at"])


def test_patch_old_dialect(one):
    image = one.create(name="a", prop="1")["id"]
    doc = one.patch(image, {"replace": "/name", "value": "b"}, {"add": "/new", "value": "n"},
                    {"remove": "/prop"}, kind=PATCH_OLD)
    assert doc["name"] == "b" and doc["new"] == "n" and "prop" not in doc
    one.patch(image, {"add": "/new", "value": "x"}, kind=PATCH_OLD, status=409)
    one.patch(image, {"add": "/name", "value": "x"}, kind=PATCH_OLD, status=409)


@pytest.mark.parametrize("step,status", [
    ({"op": "replace", "path": "/status", "value": "active"}, 403),
    ({"op": "add", "path": "/size", "value": 1}, 403),
    ({"op": "replace", "path": "/id", "value": str(uuid.uuid4())}, 403),
    ({"op": "remove", "path": "/checksum"}, 403), ({"op": "remove", "path": "/name"}, 403),
    ({"op": "replace", "path": "/owner", "value": "two"}, 403),
    ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
    ({"op": "add", "path": "/os_glance_x", "value": "x"}, 403),
    ({"op": "replace", "path": "/none", "value": "x"}, 409),
    ({"op": "remove", "path": "/none"}, 409),
    ({"op": "add", "path": "/p", "value": 1}, 400), ({"op": "add", "path": "/p"}, 400),
    ({"op": "add", "path": "p", "value": "x"}, 400),
    ({"op": "add", "path": "/", "value": "x"}, 400),
    ({"op": "add", "path": "/a/b", "value": "x"}, 400),
    ({"op": "add", "path": "/a~2", "value": "x"}, 400),
    ({"op": "move", "path": "/p", "from": "/q"}, 400), ({"path": "/p", "value": "x"}, 400),
    ({"op": "add", "value": "x"}, 400), ([], 400), ("x", 400),
    ({"op": "replace", "path": "/visibility", "value": None}, 400),
    ({"op": "replace", "path": "/tags", "value": ["%d" % i for i in range(129)]}, 413),
])
def test_bad_patch(one, step, status):
    image = one.create(name="a")
    one.patch(image["id"], {"op": "add", "path": "/good", "value": "x"}, step, status=status)
    assert one.show(image["id"]) == image, "nothing of a refused change is done"


def test_patch_types(one):
    image = one.create()["id"]
    for kind in ("application/json", "application/openstack-images-v2.2-json-patch", "text/plain"):
        res = one.send("PATCH", "images/" + image, [], headers={"Content-Type": kind})
        assert res.status == 415 and "json-patch" in res.headers["Accept-Patch"]
    assert one.send("PATCH", "images/" + image, {"op": "add"}, headers={
        "Content-Type": "application/openstack-images-v2.1-json-patch"}).status == 400


def test_changes_at_once(one, compute_cluster):
    """None of them is lost."""
    from tests.compute.conftest import service

    image = one.create()["id"]

    def change(n):
        client = service(compute_cluster, "one")
        for i in range(4):
            client.patch(image, {"op": "add", "path": "/p%d_%d" % (n, i), "value": "x"})
        client.close()

    threads = [threading.Thread(target=change, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(k.startswith("p") and "_" in k for k in one.show(image)) == 24


def test_delete(one):
    image = one.create(name="x", protected=True)["id"]
    assert one.delete("images/" + image).status == 403
    one.patch(image, {"op": "replace", "path": "/protected", "value": False})
    assert one.delete("images/" + image).status == 204
    assert one.delete("images/" + image).status == 404
    one.show(image, status=404)


def test_tags(one):
    image = one.create()["id"]
    for tag in ("a", "b", "a", "with%20space"):
        assert one.put("images/%s/tags/%s" % (image, tag)).status == 204
    assert one.show(image)["tags"] == ["a", "b", "with space"]
    assert one.delete("images/%s/tags/b" % image).status == 204
    assert one.delete("images/%s/tags/b" % image).status == 404
    assert one.put("images/%s/tags/%s" % (image, "x" * 256)).status == 400
    assert one.put("images/%s/tags/x" % uuid.uuid4()).status == 404


def test_admin_fields(admin, two):
    image = admin.create(name="for two", owner="two", visibility="public")
    assert two.show(image["id"])["owner"] == "two"
    two.patch(image["id"], {"op": "replace", "path": "/name", "value": "mine"})
    doc = admin.patch(image["id"], {"op": "replace", "path": "/owner", "value": "one"})
    assert doc["owner"] == "one"
    two.patch(image["id"], {"op": "replace", "path": "/name", "value": "mine"}, status=403)
    assert two.delete("images/" + image["id"]).status == 403
    assert admin.delete("images/" + image["id"]).status == 204


def test_deactivate_needs_active(one):
    image = one.create()["id"]
    assert one.post("images/%s/actions/deactivate" % image).status == 403
    assert one.post("images/%s/actions/reactivate" % image).status == 403


def test_members(one, two):
    image = one.create(name="shared one")["id"]
    members = "images/%s/members" % image
    res = one.send("POST", members, {"member": "two"})
    assert res.status == 200
    member = res.json
    assert member["member_id"] == "two" and member["image_id"] == image
    assert member["status"] == "pending" and member["schema"] == "/v2/schemas/member"
    assert one.send("POST", members, {"member": "two"}).status == 409
    assert one.send("POST", members, {"member": "three"}).status == 200
    assert [m["member_id"] for m in one.get(members).json["members"]] == ["two", "three"]
    assert [m["member_id"] for m in two.get(members).json["members"]] == ["two"]
    assert two.get(members + "/two").json == member
    assert two.get(members + "/three").status == 404
    assert two.show(image)["name"] == "shared one"
    assert "shared one" not in two.names()
    assert two.names(visibility="shared", member_status="pending") == ["shared one"]
    assert two.send("PUT", members + "/two", {"status": "accepted"}).json["status"] == "accepted"
    assert two.names() == ["shared one"]
    assert two.names(member_status="rejected") == []
    assert two.send("PUT", members + "/two", {"status": "maybe"}).status == 400
    assert two.send("PUT", members + "/two", {}).status == 400
    assert one.send("PUT", members + "/two", {"status": "accepted"}).status == 403
    two.patch(image, {"op": "replace", "path": "/name", "value": "x"}, status=403)
    assert two.send("POST", members, {"member": "four"}).status == 403
    assert two.delete(members + "/two").status == 403
    assert one.delete(members + "/two").status == 204
    assert one.delete(members + "/two").status == 404
    two.show(image, status=404)


def test_only_shared_images_have_members(one):
    image = one.create(visibility="private")["id"]
    assert one.send("POST", "images/%s/members" % image, {"member": "two"}).status == 403


def test_community(one, two):
    one.create(name="for all who know", visibility="community")
    assert "for all who know" not in two.names()
    assert two.names(visibility="community") == ["for all who know"]


def test_schemas(one):
    doc = one.get("schemas/image").json
    assert doc["name"] == "image" and doc["properties"]["checksum"]["readOnly"] is True
    assert "qcow2" in doc["properties"]["disk_format"]["enum"]
    doc = one.get("schemas/images").json
    assert doc["properties"]["images"]["items"]["name"] == "image"
    for name in ("member", "members", "task", "tasks"):
        assert one.get("schemas/" + name).json["name"] == name
    for name in ("namespace", "objects", "property", "tags"):
        assert one.get("schemas/metadefs/" + name).json["name"] == name
    assert one.get("schemas/metadefs/resource_types").json["name"] == "resource_type_associations"
    assert one.get("schemas/none").status == 404


def test_info(one):
    assert one.get("info/import").json["import-methods"]["value"] == ["glance-direct", "copy-image"]
    assert one.get("info/stores").json == {"stores": [{"id": "swift", "default": "true"}]}
    one.create()
    assert one.get("info/usage").json["usage"]["image_count_total"]["usage"] >= 1


def test_service_account_is_closed(one, compute_cluster):
    """Nobody but the service gets at records and bytes by the Swift API."""
    one.create()
    client = compute_cluster.client(None)
    for user in ("one", None):
        token = one.token if user else None
        for path in ("", "/images", "/images-data"):
            res = client.get("/v1/AUTH_service" + path, token=token)
            assert res.status == (403 if user else 401), (user, path, res)
    client.close()
