"""Machines of one host: real QEMU without hardware virtualization, a tiny guest, images of the real
image service."""
import base64
import os
import re
import subprocess

import pytest

from tests.compute import machines
from tests.compute.conftest import service
from tests.compute.machines import OFF, PAUSED, RUNNING, SUSPENDED, spec_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture(scope="module")
def owner(compute_cluster):
    """The image service as the project sees it whose machines they are."""
    s = service(compute_cluster, "two")
    yield s
    s.clean()
    s.close()


def upload(owner, path, **fields):
    with open(path, "rb") as f:
        data = f.read()
    image = owner.create(name="tiny", disk_format="qcow2", container_format="bare", **fields)
    owner.upload(image["id"], data)
    return owner.show(image["id"])


@pytest.fixture(scope="module")
def image(owner):
    return upload(owner, machines.tiny_image())


@pytest.fixture(scope="module")
def host(compute_cluster):
    with open(os.path.join(compute_cluster.home, "needletail.conf"), encoding="utf-8") as f:
        compute = re.search(r"^\[compute\]\n[^\[]*", f.read(), re.M).group()
    h = machines.Host(compute, "image_url = http://%s:%d"
                      % (compute_cluster.host, compute_cluster.port + 10))
    yield h
    h.close()


def test_the_life_of_a_machine(host, owner, image, tmp_path):
    """Made, booted, off and on, paused, saved, copied while it runs, found again, removed."""
    user_data = "#!/bin/sh\necho user data ran on $(hostname)\n"
    spec = spec_of(image, metadata={"role": "web"}, key_name="mine", key="ssh-ed25519 AAAA mine",
                   user_data=base64.b64encode(user_data.encode()).decode(),
                   nics=[{"kind": "user", "mac": "fa:16:3e:00:00:01"}])
    one, run = spec["id"], host.launcher
    run.ask("create", spec=spec)
    assert run.state(one) == RUNNING
    log = run.console(one, "TINY-READY n=1")
    assert '"uuid":"%s"' % one in log and '"role":"web"' in log
    assert '"hostname":"tiny-machine"' in log and '"mine":"ssh-ed25519 AAAA mine"' in log
    assert "TINY-UD user data ran on" in log
    assert "TINY-IP 10.0.2.15" in log and "TINY-NOMETADATA" in log
    answer = run.ask("observe", one, lines=1)
    assert 5900 <= answer["vnc"] < 6900 and len(answer["log"].rstrip("\n").split("\n")) == 1

    # Asked again, and for what makes no sense.
    assert "already" in run.ask("create", spec=spec, rc=-17)["why"]
    assert "it is running" in run.ask("unpause", one, rc=None)["why"] or run.state(one) == RUNNING
    run.ask("pause", one)
    assert run.state(one) == PAUSED
    run.ask("unpause", one)
    run.ask("suspend", one)
    assert run.state(one) == SUSPENDED
    assert not host.sandbox.processes("needletail-" + one)
    run.ask("resume", one)
    assert run.state(one) == RUNNING

    copy = str(tmp_path / "copy.qcow2")
    answer = run.ask("snapshot", one, path=copy)
    assert answer["size"] == answer["read"] == os.path.getsize(copy)
    assert run.state(one) == RUNNING
    assert not [f for f in host.files("machines/" + one) if f.startswith("snapshot")]

    # The daemon is killed; the machine does not notice, and is found again.
    run.kill()
    assert host.sandbox.processes("needletail-" + one)
    run.start()
    listed = run.ask("list")
    assert listed["machines"] == {one: RUNNING} and listed["vcpus_used"] == 1
    assert listed["vcpus"] >= 1 and listed["version"] > 5000000

    run.ask("stop", one, timeout_ms=int(60000 * machines.SLOW))
    assert run.state(one) == OFF
    assert "TINY-ACPI-POWEROFF" in run.ask("observe", one)["log"]
    assert "it is off" in run.ask("pause", one, rc=-16)["why"]
    run.ask("start", one)
    run.console(one, "TINY-READY n=2")
    run.ask("reboot", one, hard=True)
    assert run.state(one) == RUNNING

    # The copy is an image, and boots where the machine was when it was taken.
    taken = upload(owner, copy)
    two = spec_of(taken)
    run.ask("create", spec=two)
    run.console(two["id"], "TINY-READY n=2")

    for machine in (one, two["id"]):
        run.ask("destroy", machine)
        assert not host.sandbox.processes("needletail-" + machine)
        run.ask("observe", machine, rc=-2)
        run.ask("destroy", machine)
    assert not host.files("machines") and run.ask("list")["machines"] == {}
    left = subprocess.run(["find", os.path.join(host.state, "libvirt"), "-name", "*%s*" % one,
                           "-not", "-name", "*.log"], stdout=subprocess.PIPE, check=True).stdout
    assert left == b""


def refused(host, spec, rc, *words):
    """What cannot be made says why, and leaves nothing."""
    answer = host.launcher.ask("create", spec=spec, rc=rc)
    assert all(w in answer["why"] for w in words), answer
    assert not host.files("machines"), host.files("machines")
    assert host.launcher.ask("list")["machines"] == {}


def test_what_cannot_be_made(host, owner, image, tmp_path):
    other = spec_of(image)
    other["image"]["hash"] = "0" * 128
    refused(host, other, -74, "checksum")
    gone = spec_of(dict(image, id="6ba7b810-9dad-41d1-80b4-00c04fd430c8", os_hash_value="1" * 128))
    refused(host, gone, -22, "404")
    large = str(tmp_path / "large.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", large, "2G"], check=True)
    refused(host, spec_of(upload(owner, large), flavor={"vcpus": 1, "ram_mib": 64, "disk_gib": 1}),
            -22, "too small")
    refused(host, spec_of(image, nics=[{"kind": "user", "mac": "fa:16:3e,script=x"}]), -22, "MAC")
    refused(host, spec_of(image, flavor={"vcpus": 0, "ram_mib": 64, "disk_gib": 1}), -22, "flavor")
    refused(host, spec_of(dict(image, disk_format="vmdk")), -22, "vmdk")
    assert not [f for f in host.files("images") if f.endswith(".part")]


def test_destroyed_while_it_is_made(host, image):
    spec = spec_of(image)
    run = host.launcher
    making = run.send("create", spec=spec)
    run.ask("destroy", spec["id"])
    assert run.answer(making, rc=None)["rc"] in (0, -125)
    assert not host.files("machines") and run.ask("list")["machines"] == {}
    assert not host.sandbox.processes("needletail-" + spec["id"])


def test_changed_after_it_was_made(host, image):
    """Another flavor and back, another disk, another image to boot from."""
    spec = spec_of(image)
    one, run = spec["id"], host.launcher
    larger = {"flavor": {"vcpus": 2, "ram_mib": 224, "disk_gib": 1}}
    run.ask("create", spec=spec)
    run.ask("confirm", one, rc=-16)
    run.ask("resize", one, spec=larger)
    assert run.ask("list")["vcpus_used"] == 2 and run.state(one) == RUNNING
    assert "-smp 2" in host.sandbox.processes("needletail-" + one)[0]
    assert "not confirmed" in run.ask("resize", one, spec=larger, rc=-16)["why"]
    run.ask("revert", one)
    assert run.ask("list")["vcpus_used"] == 1 and run.state(one) == RUNNING
    run.ask("stop", one)
    run.ask("resize", one, spec=larger)
    assert run.state(one) == OFF
    run.ask("confirm", one)
    assert "smaller" in run.ask("resize", one, spec={"flavor": spec["flavor"] | {"disk_gib": 0}},
                                rc=-22)["why"]
    assert host.files("machines/" + one) == ["config.iso", "console.log", "disk.qcow2",
                                             "machine.json"]

    run.ask("rescue", one, spec=spec)
    assert run.state(one) == RUNNING
    line = host.sandbox.processes("needletail-" + one)[0]
    assert line.index("rescue.qcow2") < line.index("disk.qcow2")
    run.ask("rescue", one, spec=spec, rc=-16)
    run.ask("unrescue", one)
    assert run.state(one) == RUNNING
    assert "rescue.qcow2" not in host.files("machines/" + one)

    run.ask("suspend", one)
    run.ask("stop", one)
    assert run.state(one) == OFF
    run.ask("rebuild", spec=dict(spec, metadata={"built": "again"}))
    assert run.state(one) == OFF
    run.ask("start", one)
    log = run.console(one, '"built":"again"')
    assert "TINY-BOOT n=1" in log.split('"built":"again"')[0].rsplit("SYSLINUX", 1)[1]
    run.ask("evict")
    assert host.files("images")
    run.ask("destroy", one)
    assert not host.files("machines")
