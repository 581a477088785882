"""bin/needletail starts images beside the store, and goes on without them."""
import socket

from tests.harness.cluster import Cluster
from tests.harness.ports import PortBlock


def test_busy_port():
    block = PortBlock()
    with socket.socket() as s:
        s.bind(("127.0.0.1", block.first + 10))
        s.listen()
        with Cluster(conf=None, port=block.first) as cluster:
            assert "going on without images and machines" in cluster.log()
            assert "  images    " not in cluster.log()
            assert cluster.client(None).get("/healthcheck").status == 200
    block.release()


def test_ended(make_cluster):
    """The worker is started again; without its master the store goes on."""
    cluster = make_cluster(conf=None)
    assert "  images    " in cluster.log()

    def images():
        try:
            c = cluster.client(None)
            c.port += 10
            return c.get("/healthcheck").status == 200
        except ConnectionError:
            return False
    assert images()
    cluster.kill("needletail-compute: ")
    cluster.wait_for(images)
    cluster.kill("needletail-compute")
    cluster.wait_for(lambda: "going on without images and machines" in cluster.log())
    assert not images() and cluster.is_running()
    assert cluster.client(None).get("/healthcheck").status == 200
