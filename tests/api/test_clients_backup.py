"""Backup programs that speak Swift, as their users run them: restic and duplicity."""
import os
import shutil
import subprocess
import time
import uuid

import pytest


def need(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=program + " is not installed")


@pytest.fixture
def name(cluster):
    name = "backup-" + uuid.uuid4().hex[:8]
    yield name
    c = cluster.client("tester")
    c.empty(name)
    c.close()


@pytest.fixture
def run(cluster, tmp_path):
    """run(command…): its output; fails when it fails. Both log in by v1, from the environment."""
    env = dict(os.environ, HOME=str(tmp_path),
               ST_AUTH=cluster.endpoint + "/auth/v1.0", ST_USER="test:tester", ST_KEY="testing",
               RESTIC_PASSWORD="secret", RESTIC_CACHE_DIR=str(tmp_path / "cache"), GOMAXPROCS="2",
               SWIFT_USERNAME="test:tester", SWIFT_PASSWORD="testing", SWIFT_AUTHVERSION="1",
               SWIFT_AUTHURL=cluster.endpoint + "/auth/v1.0", PASSPHRASE="secret")

    def go(*command):
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200,
                              cwd=tmp_path, check=False)
        assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    return go


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    for i in range(20):
        path = root / ("d%d" % (i % 3)) / ("f %d.bin" % i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(i * 20000))
    return root


def change(tree):
    time.sleep(2)       # duplicity counts in whole seconds
    (tree / "d0" / "f 3.bin").write_bytes(b"changed")
    (tree / "d1" / "f 4.bin").unlink()
    (tree / "new").write_bytes(os.urandom(50000))


def same(a, b):
    subprocess.run(["diff", "-r", str(a), str(b)], check=True)


@need("restic")
@pytest.mark.limit_s(240)
def test_restic(run, cluster, name, tree, tmp_path):
    def restic(*args):
        return run("restic", "-r", "swift:%s:/repo" % name, *args)

    restic("init")
    restic("backup", "tree")
    shutil.copytree(tree, tmp_path / "before")
    change(tree)
    restic("backup", "tree")
    assert "no errors were found" in restic("check", "--read-data")
    assert len([s for s in restic("snapshots", "--compact").splitlines() if "tree" in s or
                s[:1].isalnum()]) >= 2
    restic("restore", "latest", "--target", "out")
    same(tree, next((tmp_path / "out").rglob("tree")))
    first = restic("snapshots", "--json")
    import json
    restic("restore", json.loads(first)[0]["short_id"], "--target", "old")
    same(tmp_path / "before", next((tmp_path / "old").rglob("tree")))
    restic("forget", "--keep-last", "1", "--prune")
    assert "no errors were found" in restic("check")
    c = cluster.client("tester")
    assert any(n.startswith("repo/data/") for n in c.list(name))
    c.close()


@need("duplicity")
@pytest.mark.limit_s(240)
def test_duplicity(run, name, tree, tmp_path):
    def duplicity(*args):
        return run("duplicity", "--archive-dir", str(tmp_path / "archive"), "--no-encryption",
                   "--volsize", "1", *args)

    url = "swift://" + name
    duplicity("full", "tree", url)
    shutil.copytree(tree, tmp_path / "before")
    change(tree)
    duplicity("incremental", "tree", url)
    assert "Number of contained backup sets: 2" in duplicity("collection-status", url)
    duplicity("verify", url, "tree")
    # As on a machine that has only the cluster.
    shutil.rmtree(tmp_path / "archive")
    duplicity("restore", url, "out")
    same(tree, tmp_path / "out")
    duplicity("remove-all-but-n-full", "1", "--force", url)
