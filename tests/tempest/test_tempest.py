"""Tempest's object-storage and identity tests; a test here is one of its lists."""
import os
import shutil
import subprocess

import pytest

from tests.harness.cluster import SAIO_CONF

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = os.path.join(HERE, "lists")
# Tests of a list that do not pass, each with its reason.
EXCEPT = {}


def _conf(tmp_path):
    """saio.conf and users.conf as one file."""
    path = tmp_path / "tempest-cluster.conf"
    with open(SAIO_CONF, encoding="utf-8") as a, \
            open(os.path.join(HERE, "users.conf"), encoding="utf-8") as b:
        path.write_text(a.read() + "\n" + b.read())
    return str(path)


def run(endpoint, workspace, selection, *options):
    """The failures: {test: reason}; and how many passed."""
    command = ["bash", os.path.join(HERE, "run-tempest.sh"), "-w", str(workspace), "-k",
               "-c", "HAVE_NOVA=false", "-c", "HAVE_GLANCE=false", *options, endpoint,
               "--", "@" + selection]
    env = dict(os.environ, ADMIN_USER="admin", ADMIN_PASSWORD="admin", ADMIN_PROJECT="admin")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    rows = []
    try:
        with open(os.path.join(str(workspace), "result.txt"), encoding="utf-8") as f:
            rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    except OSError:
        pass
    assert rows, done.stdout + done.stderr
    failed = {r[1]: r[3] if len(r) > 3 else "" for r in rows if r[0] == "fail"}
    return failed, sum(r[0] == "success" for r in rows)


def _selection(tmp_path, name):
    """The list as regular expressions (what include-lists are)."""
    path = tmp_path / name
    with open(os.path.join(LISTS, name), encoding="utf-8") as f:
        path.write_text("".join("^" + line.split("[")[0].replace(".", r"\.") + r"(\[|$)\n"
                                for line in f if line.strip()))
    return str(path)


needs_tempest = pytest.mark.skipif(not shutil.which("tempest"), reason="no tempest")


@needs_tempest
@pytest.mark.limit_s(1500)
@pytest.mark.parametrize("name,options,least", [
    ("object-storage.txt", (), 120),
    ("identity-v3.txt", ("-c", "KS_APPCRED=true"), 13),
    ("identity-v3.txt", ("-d", "-c", "KS_APPCRED=true"), 13),
])
def test_list(make_cluster, tmp_path, name, options, least):
    cluster = make_cluster(conf=_conf(tmp_path))
    failed, passed = run(cluster.endpoint, tmp_path / "ws", _selection(tmp_path, name), *options)
    unexpected = {k: v for k, v in failed.items() if k not in EXCEPT}
    assert not unexpected, "\n".join("%s: %s" % i for i in sorted(unexpected.items()))
    assert passed >= least
