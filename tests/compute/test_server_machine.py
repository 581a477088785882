"""Servers with real machines: asked of one host, which runs none, and made on another."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from tests.compute import machines
from tests.compute.conftest import service as image_service
from tests.compute.service import Service
from tests.compute.test_server import at, client_env, create, ok, service
from tests.harness.ports import PortBlock

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture(name="second", scope="module")
def fixture_second(compute_cluster, tmp_path_factory):
    """A host with machines on the same store: its compute API as the project one."""
    tmp, block, box = tmp_path_factory.mktemp("second"), PortBlock(), machines.Sandbox()
    state = tempfile.mkdtemp(prefix="needletail-second-")
    os.chmod(state, 0o755)      # QEMU is another user, whom pytest's own folders are closed to
    with open(compute_cluster.home + "/needletail.conf", encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"(\[image\]\nbind_port = )\d+", r"\g<1>%d" % block.first, text)
    text = re.sub(r"(\[server\]\nbind_port = )\d+", r"\g<1>%d" % (block.first + 1), text)
    text = re.sub(r"(\[log\]\ndir = ).*", r"\g<1>%s" % tmp, text)
    text = text.replace("[compute]\n", "[compute]\nhost = second\n")
    text = text.replace("[server]\n", "[server]\nstop_timeout = 2s\n")
    text += ("\n[machine]\nenabled = yes\nstate_dir = %s\n"
             "image_url = http://%s:%d\n[scheduler]\nheartbeat_interval = 300ms\n"
             "ram_ratio = 4\ndisk_ratio = 4\n"
             % (state, compute_cluster.host, compute_cluster.port + 10))
    (tmp / "second.conf").write_text(text)
    with open(tmp / "second.log", "wb") as log:
        process = subprocess.Popen(
            box.command(compute_cluster.bin + "/needletail-compute", "--conf",
                        str(tmp / "second.conf")), stdout=log, stderr=log)
    s = Service("127.0.0.1", block.first + 1)
    s.account = "/v2.1"

    def answers():
        try:
            return s.get("/healthcheck").status == 200
        except ConnectionError:
            return False
    try:
        compute_cluster.wait_for(answers)
        s.login(compute_cluster, "one")
        yield s
    finally:
        s.close()
        process.terminate()
        process.wait(60)
        box.close()
        block.release()
        shutil.rmtree(state)


@pytest.fixture(name="image", scope="module")
def fixture_image(compute_cluster):
    s = image_service(compute_cluster, "one")
    made = s.create(name="tiny", disk_format="qcow2", container_format="bare")
    with open(machines.tiny_image(), "rb") as f:
        s.upload(made["id"], f.read())
    yield made["id"]
    s.clean()
    s.close()


def wait_status(cluster, user, server, status):
    def look():
        doc = ok(user.get("servers/" + server["id"], headers=at("2.90")))["server"]
        if doc["status"] == "ERROR" != status:
            raise AssertionError(doc)
        return doc if doc["status"] == status and not doc["OS-EXT-STS:task_state"] else None
    return cluster.wait_for(look, wait_s=120 * machines.SLOW)


@pytest.mark.limit_s(400)
def test_the_life_of_a_server(compute_cluster, second, image):
    user, boss = service(compute_cluster, "one"), service(compute_cluster, "admin")
    compute_cluster.wait_for(lambda: ok(boss.get("os-hypervisors"))["hypervisors"])
    made = create(user, image, name="first", metadata={"role": "web"}, config_drive=True)
    doc = wait_status(compute_cluster, user, made, "ACTIVE")
    assert doc["addresses"]["user"][0]["addr"] == "10.0.2.15" and doc["hostId"]
    assert doc["OS-EXT-STS:power_state"] == 1 and doc["OS-SRV-USG:launched_at"]
    assert ok(boss.get("servers/" + made["id"]))["server"]["OS-EXT-SRV-ATTR:host"] == "second"
    path = "servers/%s" % made["id"]

    def console():
        res = second.send("POST", path + "/action", {"os-getConsoleOutput": {}})
        return "TINY-READY" in ok(res)["output"]
    compute_cluster.wait_for(console, wait_s=120 * machines.SLOW)
    for action, status in (({"os-stop": None}, "SHUTOFF"), ({"os-start": None}, "ACTIVE"),
                           ({"pause": None}, "PAUSED"), ({"unpause": None}, "ACTIVE"),
                           ({"suspend": None}, "SUSPENDED"), ({"resume": None}, "ACTIVE"),
                           ({"reboot": {"type": "HARD"}}, "ACTIVE"),
                           ({"rebuild": {"imageRef": image}}, "ACTIVE")):
        assert user.send("POST", path + "/action", action).status == 202, action
        wait_status(compute_cluster, user, made, status)
    listed = subprocess.run(["openstack", "server", "list", "-f", "value", "-c", "Status"],
                            env=client_env(compute_cluster), check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert listed == "ACTIVE\n"
    assert user.delete(path).status == 204
    compute_cluster.wait_for(lambda: user.get(path).status == 404,
                             wait_s=60 * machines.SLOW)
    user.close()
    boss.close()
