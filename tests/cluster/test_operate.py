"""Starting and stopping: what an operator sees of bin/needletail and the daemons."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from tests.harness.cluster import ROOT, SAIO_CONF, Cluster, ClusterError, descendants
from tests.harness.client import Client
from tests.harness.ports import PortBlock

LAUNCHER = os.path.join(ROOT, "bin/needletail")
BIN = os.path.abspath(os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"))


def run(*args, **kw):
    """bin/needletail until it ends: status and everything it printed."""
    done = subprocess.run([LAUNCHER, *args], env=dict(os.environ, NEEDLETAIL_BIN=BIN), timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    return done.returncode, done.stdout


@pytest.fixture
def ports():
    block = PortBlock()
    yield block
    block.release()


def refused(args, sentence):
    status, text = run("run", *args)
    assert status == 1
    assert re.fullmatch(r"needletail: " + sentence + "\n", text), text


def test_reference_is_what_the_programs_print():
    status, text = run("reference")
    assert status == 0
    with open(os.path.join(ROOT, "docs/operate/configuration.md")) as f:
        assert f.read() == text, "bin/needletail reference >docs/operate/configuration.md"


@pytest.mark.parametrize("name", ["default.conf", "saio.conf"])
def test_shipped_configurations_are_good(tmp_path, name):
    with open(os.path.join(ROOT, "docs/operate", name)) as f:
        text = f.read()
    text = text.replace("@port@", "8080")
    text = re.sub(r"@port(\d)@", r"808\1", text)
    text = text.replace("@home@", str(tmp_path))
    text = re.sub(r"@\w+@", "x", text)
    (tmp_path / "n.conf").write_text(text)
    builder = os.path.join(BIN, "ringtool")
    (tmp_path / "rings").mkdir()
    for ring in ("account", "container", "object", "object-1"):
        path = str(tmp_path / "rings" / (ring + ".builder.json"))
        for args in (["create", "4", "1", "1"], ["add", "r1z1-127.0.0.1:8081/d1", "1"],
                     ["rebalance"]):
            assert subprocess.run([builder, path, *args], capture_output=True).returncode <= 1
    for program in ("needletail-proxy", "needletail-objectd"):
        done = subprocess.run([os.path.join(BIN, program), "--conf", str(tmp_path / "n.conf"),
                               "--check-config"], capture_output=True, text=True)
        assert done.stdout == "%s is good\n" % (tmp_path / "n.conf"), done.stderr
        assert done.returncode == 0


def test_foreign_folder(tmp_path):
    (tmp_path / "precious").write_text("data")
    refused(["--home", str(tmp_path)], r"%s has files in it that are not Needletail's; "
            r"name another folder with --home or NEEDLETAIL_HOME" % tmp_path)
    assert os.listdir(tmp_path) == ["precious"]


def test_home_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    refused(["--home", str(tmp_path / "f")],
            r".*/f is a file; name a folder with --home or NEEDLETAIL_HOME")


def test_missing_right():
    if os.getuid() != 0:
        pytest.skip("needs root, to become nobody")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            done = subprocess.run([LAUNCHER, "run", "--home", folder + "/h"], user="nobody",
                                  group="nogroup", extra_groups=[], text=True,
                                  env=dict(os.environ, NEEDLETAIL_BIN=BIN),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except PermissionError:
            pytest.skip("nobody cannot see the launcher")
        if "build it with make" in done.stdout:
            pytest.skip("nobody cannot see the programs")
        assert done.returncode == 1
        assert done.stdout == ("needletail: cannot make the folder %s/h: Permission denied\n"
                               % folder)


@pytest.mark.parametrize("size", ["8k", "16k", "64k", "128k"])
def test_full_disk(tmp_path, size):
    mount = ["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", str(tmp_path)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small file system")
    try:
        refused(["--home", str(tmp_path / "h")], r"[^\n]*(No space left on device|is full)[^\n]*")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("offset", [0, 2], ids=["proxy", "device"])
def test_busy_port(tmp_path, ports, offset):
    port = ports.first + offset
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        refused(["--home", str(tmp_path / "h"), "--port", str(ports.first)],
                r"127\.0\.0\.1:%d is in use by \S+ \(process %d\); choose another port with --port"
                % (port, os.getpid()))


def test_misspelt_key(tmp_path, ports):
    with open(os.path.join(ROOT, "docs/operate/default.conf")) as f:
        text = f.read()
    line = text.split("\n").index("workers = 2") + 1
    conf = tmp_path / "mine.conf"
    conf.write_text(text.replace("workers = 2", "wokers = 2"))
    refused(["--home", str(tmp_path / "h"), "--conf", str(conf), "--port", str(ports.first)],
            r'%s:%d: unknown key "wokers" in \[proxy\]; did you mean "workers"\?' % (conf, line))


def test_bad_arguments():
    assert run("run", "--prot", "1")[0] == 1
    assert run("run", "--port", "70000")[1] == (
        "needletail: --port 70000 is not a port number from 1 to 65525\n")
    assert run("run", "--conf", "/nonexistent")[1] == \
        "needletail: cannot read the configuration /nonexistent\n"
    assert run()[0] == 2
    assert run("--help")[0] == 0


def test_second_start_in_the_same_home(make_cluster):
    c = make_cluster(conf=None)
    refused(["--home", c.home], "%s is in use by another needletail that is running" % c.home)
    assert c.is_running()


def test_ctrl_c_leaves_nothing_and_data_outlives(make_cluster):
    c = make_cluster()
    client = c.client()
    assert client.put("kept", body=b"").status == 201
    assert client.put("kept/o", body=b"bytes").status == 201
    below = descendants(c.launcher.pid)
    assert len(below) >= 8          # two masters, two proxy workers, four devices
    launcher = c.launcher
    c.stop()
    assert launcher.returncode == 0
    c.start()
    again = c.client().get("kept/o")
    assert (again.status, again.body) == (200, b"bytes")
    c.stop(how=signal.SIGTERM)


def test_it_moves_to_another_port(make_cluster):
    c = make_cluster()
    client = c.client()
    assert client.put("moved", body=b"").status == 201
    assert client.put("moved/o", body=b"bytes").status == 201
    c.stop()
    other = Cluster(home=c.home)
    try:
        other.start()
        assert other.port != c.port
        assert other.client().get("moved/o").body == b"bytes"
    finally:
        other.destroy()


def test_starts_in_a_second(make_cluster):
    c = make_cluster()
    c.stop()
    took = []
    for _ in range(3):
        before = time.monotonic()
        c.start()
        took.append(time.monotonic() - before)
        c.stop()
    assert min(took) < 1, took


def test_daemon_that_dies_for_good_ends_the_rest(make_cluster):
    c = make_cluster()
    below = descendants(c.launcher.pid)
    masters = [p for p in below if p.parent == c.launcher.pid and "objectd" in p.line]
    os.kill(masters[0].pid, signal.SIGKILL)
    assert c.launcher.wait(30) == 1
    time.sleep(0.1)
    assert "needletail: needletail-objectd has ended, stopping the rest" in c.log()
    assert not [p for p in below if Cluster._lives(p)]


def test_killed_workers_come_back(make_cluster):
    c = make_cluster()
    client = c.client()
    assert client.put("w", body=b"").status == 201
    masters = {p.pid for p in c.processes() if p.parent == c.launcher.pid}
    workers = [p for p in c.processes() if p.parent in masters]
    assert len(workers) == 6
    for p in workers:
        os.kill(p.pid, signal.SIGKILL)
    c.wait_for(lambda: _put_works(c), what="a PUT after killing all workers")


def _put_works(c):
    try:
        return c.client().put("w/o", body=b"x").status == 201
    except OSError:
        return False


def test_launcher_killed_stops_the_daemons(make_cluster):
    c = make_cluster()
    below = descendants(c.launcher.pid)
    c.launcher.kill()
    c.launcher.wait()
    c.wait_for(lambda: not [p for p in below if Cluster._lives(p)], what="the end of all daemons")
    c.launcher = None
    c.start()


def test_metrics_are_the_sum_of_all_workers(make_cluster):
    c = make_cluster()
    for _ in range(40):             # connections land on either worker
        assert c.client().get("").status in (200, 204, 404)
    page = Client(c.host, c.port).get("/metrics").text
    assert "# TYPE needletail_worker_starts_total counter" in page
    assert 'needletail_worker_starts_total{worker="1"} 1' in page
    count = re.search(r'^needletail_proxy_request_seconds_count\{method="GET"\} (\d+)$', page, re.M)
    assert int(count.group(1)) >= 40


def test_access_log_in_swifts_format(make_cluster):
    c = make_cluster()
    client = c.client()
    assert client.put("logged%20here", body=b"").status == 201
    c.stop()
    with open(os.path.join(c.home, "log/needletail-proxy.access.log")) as f:
        lines = [line.split(" ") for line in f.read().splitlines()]
    mine = [f for f in lines if f[3] == "PUT" and "logged" in f[4]]
    assert len(mine) == 1 and all(len(f) == 22 for f in lines)
    fields = mine[0]
    assert fields[0] == fields[1] == "127.0.0.1"
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}/\d\d/\d\d/\d\d", fields[2])
    assert fields[4:7] == ["/v1/AUTH_test/logged%2520here", "HTTP/1.1", "201"]
    assert fields[9].endswith("...") and len(fields[9]) == 19
    assert fields[13].startswith("tx")
    assert re.fullmatch(r"\d+\.\d{4}", fields[15])
    assert re.fullmatch(r"\d{10}\.\d{9}", fields[18])


def test_logs_are_opened_again(make_cluster):
    c = make_cluster()
    log = os.path.join(c.home, "log/needletail-proxy.access.log")
    c.client().get("")
    c.wait_for(lambda: os.path.getsize(log) > 0, what="an access line")
    shutil.move(log, log + ".1")
    for p in c.processes():
        if p.parent == c.launcher.pid and "proxy" in p.line:
            os.kill(p.pid, signal.SIGUSR1)
    c.wait_for(lambda: os.path.exists(log), what="a new access log")
    for _ in range(20):
        c.client().get("")
    c.wait_for(lambda: os.path.getsize(log) > 0, what="a line in the new access log")


def test_not_ready_says_why(tmp_path):
    c = Cluster(conf=str(tmp_path / "none.conf"))
    try:
        with pytest.raises(ClusterError, match="cannot read the configuration"):
            c.start()
    finally:
        c.destroy()
    assert os.path.exists(SAIO_CONF)
