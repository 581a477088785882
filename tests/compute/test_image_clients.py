"""The image service as the real clients use it: openstack and glance."""
import os
import shutil
import subprocess

import pytest

from tests.compute.conftest import service
from tests.compute.service import USERS, conf_text
from tests.compute.test_image_data import qcow2
from tests.conftest import _end, _start

DATA = qcow2()


def run(cluster, *command, user="one", home="/nonexistent", lines=()):
    """Runs a client; its output. lines: commands for one that reads them from its input."""
    name, password, project = USERS[user]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "ST_"))}
    env.update(OS_AUTH_URL=cluster.endpoint, OS_USERNAME=name, OS_PASSWORD=password,
               OS_PROJECT_NAME=project, OS_USER_DOMAIN_NAME="Default",
               OS_PROJECT_DOMAIN_NAME="Default", OS_IDENTITY_API_VERSION="3",
               PATH="/usr/bin:/bin", HOME=home)
    done = subprocess.run(command, env=env, input="\n".join(lines) + "\n",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False,
                          text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def image_cluster(tmp_path_factory):
    """Its catalog has the image service at this cluster's own port."""
    path = tmp_path_factory.mktemp("clients") / "clients.conf"
    path.write_text(conf_text())
    c = _start(conf=str(path))
    yield c
    _end(c, shared=True)


@pytest.mark.skipif(not shutil.which("openstack", path="/usr/bin"), reason="no openstack client")
@pytest.mark.limit_s(300)
def test_openstack(image_cluster, tmp_path):
    """Several commands a run, as the client takes seconds to start."""
    file, out = tmp_path / "t.qcow2", tmp_path / "out"
    file.write_bytes(DATA)
    run(image_cluster, "openstack", lines=[
        "image create --file %s --disk-format qcow2 --container-format bare --property os_distro=x"
        " --min-disk 1 --tag t1 img1" % file,
        "image save --file %s img1" % out,
        "image set --name img2 --property a=b --min-ram 64 --tag t2 --protected --shared img1",
        "image add project img2 two",
        "image delete img2",
        "image create --import --file %s --disk-format qcow2 imported" % file,
        "image create --disk-format raw empty"])
    assert out.read_bytes() == DATA
    one, two = service(image_cluster, "one"), service(image_cluster, "two")
    image = one.get("images", query="name=img2").json["images"][0]
    assert image["status"] == "active" and image["os_distro"] == "x" and image["a"] == "b"
    assert sorted(image["tags"]) == ["t1", "t2"], "the client sends them as a set"
    assert image["min_ram"] == 64 and image["protected"] is True
    assert sorted(one.names(status="active")) == ["empty", "img2", "imported"]
    text = run(image_cluster, "openstack", user="two", lines=[
        "image set --accept %s" % image["id"], "image list", "image show img2"])
    assert text.count("img2") >= 2 and two.names() == ["img2"]
    text = run(image_cluster, "openstack", lines=[
        "image list --name img2 --status active --limit 1", "image member list img2",
        "image set --unprotected --deactivate img2", "image unset --property a --tag t2 img2",
        "image show img2 -f json", "image set --activate img2",
        "image delete img2 imported empty"])
    assert '"deactivated"' in text and "accepted" in text and '"a": "b"' not in text
    assert one.names() == []


@pytest.mark.skipif(not shutil.which("glance", path="/usr/bin"), reason="no glance client")
@pytest.mark.limit_s(300)
def test_glance(image_cluster, tmp_path):
    file, out = tmp_path / "t.qcow2", tmp_path / "out"
    file.write_bytes(DATA)

    def glance(*words):
        return run(image_cluster, "glance", *words, home=str(tmp_path))

    glance("image-create", "--name", "g1", "--disk-format", "qcow2", "--container-format", "bare",
           "--file", str(file), "--property", "a=b")
    one = service(image_cluster, "one")
    image = one.get("images", query="name=g1").json["images"][0]
    assert image["status"] == "active" and image["size"] == len(DATA) and image["a"] == "b"
    assert image["virtual_size"] == 1 << 30
    glance("image-download", "--file", str(out), image["id"])
    assert out.read_bytes() == DATA
    assert "| c " in glance("image-update", "--property", "c=d", "--remove-property", "a",
                            image["id"])
    glance("member-create", image["id"], "xyz")
    assert "xyz" in glance("member-list", "--image-id", image["id"])
    one.clean()
