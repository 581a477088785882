"""Fixtures of the tests of needletail-compute: a cluster with it, and clients with tokens."""
import os

import pytest

from tests.compute.service import Service, conf_text
from tests.conftest import _end, _start


@pytest.fixture(scope="session")
def compute_cluster(tmp_path_factory):
    """A cluster with images, one for all tests that do not break it."""
    path = tmp_path_factory.mktemp("compute") / "compute.conf"
    path.write_text(conf_text(image="segment_size = 1MiB\nimage_size_cap = 200MiB"))
    c = _start(conf=str(path))
    yield c
    _end(c, shared=True)


@pytest.fixture
def make_compute(make_cluster, tmp_path):
    """make_compute(image=…, compute=…): a cluster of its own, with lines for the sections."""
    def make(**kw):
        path = tmp_path / ("compute-%s.conf" % os.urandom(4).hex())
        path.write_text(conf_text(**kw))
        return make_cluster(conf=str(path))
    return make


def service(cluster, user):
    s = Service(cluster.host, cluster.port + 10)
    s.login(cluster, user)
    return s


@pytest.fixture
def one(compute_cluster):
    """The image service as a member of the project one sees it."""
    s = service(compute_cluster, "one")
    yield s
    s.clean()
    s.close()


@pytest.fixture
def two(compute_cluster):
    s = service(compute_cluster, "two")
    yield s
    s.clean()
    s.close()


@pytest.fixture
def reader(compute_cluster):
    """May look at what the project one has, and change nothing."""
    s = service(compute_cluster, "reader")
    yield s
    s.close()


@pytest.fixture
def admin(compute_cluster):
    s = service(compute_cluster, "admin")
    yield s
    s.clean()
    s.close()


@pytest.fixture
def nobody(compute_cluster):
    s = Service(compute_cluster.host, compute_cluster.port + 10)
    yield s
    s.close()
