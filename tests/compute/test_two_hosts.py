"""Two daemons on one store: what one does the other sees at once, and no change is lost."""
import re
import subprocess
import threading

import pytest

from tests.compute.service import Service
from tests.harness.ports import PortBlock


@pytest.fixture
def second(compute_cluster, tmp_path):
    """The image service of another host: one member of the project one at each."""
    block = PortBlock()
    with open(compute_cluster.home + "/needletail.conf", encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"(\[image\]\nbind_port = )\d+", r"\g<1>%d" % block.first, text)
    text = re.sub(r"(\[server\]\nbind_port = )\d+", r"\g<1>%d" % (block.first + 1), text)
    text = re.sub(r"(\[log\]\ndir = ).*", r"\g<1>%s" % tmp_path, text)
    text = text.replace("[compute]\n", "[compute]\nhost = second\n")
    conf = tmp_path / "second.conf"
    conf.write_text(text)
    with open(tmp_path / "second.log", "wb") as log:
        process = subprocess.Popen([compute_cluster.bin + "/needletail-compute", "--conf",
                                    str(conf)], stdout=log, stderr=log)
    s = Service("127.0.0.1", block.first)

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
        assert process.wait(30) == 0
        block.release()


def test_both_see_the_same(one, second):
    image = one.create(name="x", disk_format="raw", container_format="bare")["id"]
    assert second.names() == one.names() == ["x"]
    second.patch(image, {"op": "replace", "path": "/name", "value": "y"})
    assert one.show(image)["name"] == "y" and one.names() == ["y"]
    second.upload(image, b"bytes")
    assert one.get("images/%s/file" % image).body == b"bytes"
    one.upload(image, b"bytes", status=409)
    assert one.delete("images/" + image).status == 204
    assert second.names() == []
    second.show(image, status=404)


def test_no_change_is_lost(one, second):
    image = one.create()["id"]

    def change(host, n):
        for i in range(10):
            host.patch(image, {"op": "add", "path": "/p%d_%d" % (n, i), "value": "x"})

    threads = [threading.Thread(target=change, args=a) for a in ((one, 1), (second, 2))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(k.startswith(("p1_", "p2_")) for k in one.show(image)) == 20


def test_one_of_two_creates(one, second):
    """Of two with one id, one is made."""
    mine = "11111111-2222-3333-4444-%012d"
    for i in range(5):
        found = []

        def create(host, name, i=i, found=found):
            res = host.send("POST", "images", {"id": mine % i, "name": name})
            found.append((res.status, name))

        threads = [threading.Thread(target=create, args=a) for a in ((one, "a"), (second, "b"))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(s for s, _ in found) == [201, 409]
        assert one.show(mine % i)["name"] == dict(found)[201]
