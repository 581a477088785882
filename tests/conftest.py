"""Fixtures of all Python tests: clusters, clients, a time limit, logs of what failed."""
import os
import signal
import sys
import uuid

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.harness.cluster import RUNNING, SAIO_CONF, Cluster  # noqa: E402  (after the path is set)

# Ctrl-C must reach what is started here also when this runs in the background of a shell, which has
# it ignored; programs inherit that, and a shell script cannot even trap it then.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LIMIT_S = 120
LOG_TAIL = 40       # lines of each log shown with a failing test
_clusters = RUNNING


def pytest_configure(config):
    config.addinivalue_line("markers", "limit_s(n): seconds this test may take (%d)" % LIMIT_S)
    config.addinivalue_line("markers", "expects_bugs: the logs may show failed assertions")


def _start(**kw):
    c = Cluster(**kw)
    _clusters.append(c)
    try:
        return c.start()
    except BaseException:
        _end(c)
        raise


def _end(c, shared=False):
    """Stops and removes; what it reports while stopping (leaks) fails as well."""
    _clusters.remove(c)
    marks = c.log_marks()
    try:
        assert not shared or c.is_running(), "the cluster ended by itself:\n" + c.log()
        c.stop()
        lines = c.bugs(marks)
        assert not lines, "bugs reported while stopping:\n" + c.log(marks)
    finally:
        c.destroy(keep=bool(os.environ.get("NEEDLETAIL_KEEP")))


@pytest.fixture(scope="session")
def cluster():
    """A cluster with docs/operate/saio.conf, one for all tests that do not break it."""
    c = _start(conf=SAIO_CONF)
    yield c
    _end(c, shared=True)


@pytest.fixture(scope="session")
def default_cluster():
    """A cluster as `make run` starts it when no configuration is named."""
    c = _start(conf=None)
    yield c
    _end(c, shared=True)


@pytest.fixture
def make_cluster():
    """make_cluster(conf=…, env=…, args=…): starts a cluster for this test alone."""
    mine = []

    def make(**kw):
        mine.append(_start(**kw))
        return mine[-1]

    yield make
    for c in mine:
        if c in _clusters:
            _end(c)


@pytest.fixture
def client(cluster):
    """test:tester, the owner of AUTH_test."""
    c = cluster.client("tester")
    yield c
    c.close()


@pytest.fixture
def anonymous(cluster):
    c = cluster.client(None)
    yield c
    c.close()


@pytest.fixture
def container(client):
    """The name of a new, empty container, removed afterwards with what is in it."""
    name = "c-" + uuid.uuid4().hex[:12]
    res = client.put(name)
    assert res.status == 201, res
    yield name
    client.empty(name)


@pytest.fixture
def raw(cluster):
    """A raw connection to the proxy."""
    with cluster.raw() as r:
        yield r


@pytest.fixture(autouse=True)
def time_limit(request):
    """Ends a test that hangs, with the place where it did."""
    marker = request.node.get_closest_marker("limit_s")
    seconds = marker.args[0] if marker else LIMIT_S

    def late(_number, _frame):
        pytest.fail("took longer than %d s" % seconds)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(int(seconds * float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def no_bugs(request):
    """Fails the test when a cluster meanwhile reported a bug of its own or ended."""
    marks = {c: c.log_marks() for c in _clusters}
    yield
    if request.node.get_closest_marker("expects_bugs"):
        return
    for c in _clusters:
        lines = c.bugs(marks.get(c))
        if lines:
            pytest.fail("the cluster reports a bug:\n" + c.log(marks.get(c)), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.log_marks = {c: c.log_marks() for c in _clusters}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for c in _clusters:
            text = c.log(getattr(item, "log_marks", {}).get(c), LOG_TAIL)
            if text:
                report.sections.append(("cluster at %s" % c.endpoint, text))
