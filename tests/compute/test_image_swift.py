"""The tests of the image service with another store: Debian's OpenStack Swift, by v1 auth. Whose
tokens requests carry is still asked of a Keystone API."""
# pylint: disable=unused-import
import os
import subprocess

import pytest

from tests.compute.service import conf_text
from tests.compute.test_image import (  # noqa: F401
    test_admin_fields, test_changes_at_once, test_create,
    test_create_with_everything, test_delete, test_info, test_members, test_missing,
    test_others_see_nothing, test_patch, test_patch_old_dialect, test_tags)
from tests.compute.test_image_data import (  # noqa: F401
    test_cut_off, test_deactivated, test_deleted_meanwhile, test_ranges,
    test_refused_before_a_byte, test_second_upload_meanwhile, test_stage_and_import,
    test_too_large, test_upload)
from tests.compute.test_image_list import (  # noqa: F401
    images, test_changed_since, test_order, test_pages, test_visibilities)
from tests.conftest import _end, _start
from tests.harness.client import Client
from tests.harness.cluster import ROOT
from tests.harness.ports import PortBlock
from tests.harness.swift_servers import SwiftServers, available

pytestmark = pytest.mark.skipif(not available(), reason="Debian's Swift is not installed")


def make_rings(servers, ports):
    tool = os.path.join(os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"),
                        "ringtool")
    for kind, port in ports.items():
        builder = os.path.join(servers.etc, kind + ".builder.json")
        for command in (["create", "6", "1", "1"],
                        ["add", "r1z1-127.0.0.1:%d/d1" % port, "100"], ["rebalance"]):
            done = subprocess.run([tool, builder] + command, capture_output=True, check=False)
            assert done.returncode <= 1, done


@pytest.fixture(scope="module")
def their_store(tmp_path_factory):
    """One server of each kind; the URL of its v1 auth."""
    block = PortBlock()
    kinds = {kind: block.first + i for i, kind in enumerate(("account", "container", "object"), 2)}
    with SwiftServers(str(tmp_path_factory.mktemp("swift"))) as servers:
        make_rings(servers, kinds)
        servers.write("swift.conf", """
            [swift-hash]
            swift_hash_path_suffix = theirs
            [storage-policy:0]
            name = gold
            default = yes
            """)
        servers.memcached(block.first + 1)
        for kind, port in kinds.items():
            servers.storage(kind, port, "d1")
        servers.proxy(block.first, block.first + 1, more="slo")
        servers.wait([block.first] + list(kinds.values()))
        yield "http://127.0.0.1:%d/auth/v1.0" % block.first
    block.release()


@pytest.fixture(scope="module")
def compute_cluster(their_store, tmp_path_factory):
    path = tmp_path_factory.mktemp("compute") / "compute.conf"
    path.write_text(conf_text(
        compute="store_auth = v1\nstore_auth_url = %s\nstore_user = test:tester\n"
        "store_key = testing" % their_store,
        image="segment_size = 1MiB\nimage_size_cap = 200MiB"))
    c = _start(conf=str(path))

    def image_objects(image):
        client = Client("127.0.0.1", int(their_store.split(":")[2].split("/")[0]), "tester")
        res = client.get("images-data", query={"prefix": image, "format": "json"})
        client.close()
        return [o["name"] for o in res.json] if res.status == 200 else []
    c.image_objects = image_objects
    yield c
    _end(c, shared=True)


def test_the_store_is_theirs(one, compute_cluster):
    """Nothing of it is in our own."""
    image = one.create(disk_format="raw", container_format="bare")["id"]
    one.upload(image, b"x")
    assert len(compute_cluster.image_objects(image)) == 1
    admin = compute_cluster.client("admin")
    assert admin.get("/v1/AUTH_service/images").status == 404
    admin.close()
