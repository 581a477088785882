"""Real clients, as their users run them: swift, openstack, rclone, curl."""
import json
import os
import subprocess
import uuid

import pytest


@pytest.fixture
def run(cluster, tmp_path):
    """run(command…): with the environment of test:tester, its output; fails when it fails."""
    env = dict(os.environ, ST_AUTH=cluster.endpoint + "/auth/v1.0", ST_USER="test:tester",
               ST_KEY="testing", HOME=str(tmp_path),
               OS_AUTH_TYPE="v1password", OS_AUTH_URL=cluster.endpoint + "/auth/v1.0",
               OS_USERNAME="test:tester", OS_PASSWORD="testing",
               RCLONE_CONFIG_NT_TYPE="swift", RCLONE_CONFIG_NT_USER="test:tester",
               RCLONE_CONFIG_NT_KEY="testing", RCLONE_CONFIG_NT_AUTH_VERSION="1",
               RCLONE_CONFIG_NT_AUTH=cluster.endpoint + "/auth/v1.0",
               RCLONE_CONFIG=str(tmp_path / "rclone.conf"))

    def go(*command, ok=True, drop=()):
        mine = {k: v for k, v in env.items() if not k.startswith(tuple(drop) or ("\0",))}
        done = subprocess.run(command, env=mine, capture_output=True, text=True, timeout=100,
                              cwd=tmp_path, check=False)
        if ok:
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    return go


@pytest.fixture
def name(cluster):
    name = "clients-" + uuid.uuid4().hex[:8]
    yield name
    c = cluster.client("tester")
    c.empty(name)
    c.close()


def make_tree(root, files=30):
    for i in range(files):
        path = root / ("d%d" % (i % 3)) / ("f %d.txt" % i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(i * 1000))
    return root


def test_swift(run, name, tmp_path):
    def swift(*args, **kw):
        return run("swift", *args, drop=("OS_",), **kw)

    make_tree(tmp_path / "tree")
    swift("post", name, "-H", "X-Container-Meta-Colour: red")
    swift("upload", name, "tree")
    assert len(swift("list", name).splitlines()) == 30
    assert "tree/d1/" in swift("list", name, "-d", "/", "-p", "tree/")
    assert "Meta Colour: red" in swift("stat", name)
    swift("post", name, "tree/d0/f 0.txt", "-m", "Kind:text")
    assert "Meta Kind: text" in swift("stat", name, "tree/d0/f 0.txt")
    swift("copy", "-d", "/%s/copied" % name, name, "tree/d1/f 1.txt")
    swift("download", name, "-D", "out")
    subprocess.run(["diff", "-r", "tree", "out/tree"], cwd=tmp_path, check=True)
    assert (tmp_path / "out/copied").read_bytes() == (tmp_path / "tree/d1/f 1.txt").read_bytes()
    assert "Additional middleware: tempurl" in swift("capabilities")
    swift("delete", name, "tree/d0/f 0.txt")
    assert len(swift("list", name).splitlines()) == 30
    swift("delete", name)
    assert name not in swift("list").splitlines()


@pytest.mark.parametrize("kind", ["slo", "dlo"])
def test_swift_segments(run, name, cluster, tmp_path, kind):
    """A segmented upload, up and down, changed, and deleted with its segments."""
    def swift(*args, **kw):
        return run("swift", *args, drop=("OS_",), **kw)

    use = ["--use-slo"] if kind == "slo" else ["--no-use-slo"] if "--no-use-slo" in run(
        "swift", "upload", "--help", drop=("OS_",)) else []
    data = os.urandom(1000000)
    (tmp_path / "big").write_bytes(data)
    swift("upload", name, "big", "-S", "300000", *use)
    segments = name + "_segments"
    c = cluster.client("tester")
    try:
        head = c.head(name + "/big").headers
        assert head["Content-Length"] == "1000000"
        assert ("X-Static-Large-Object" in head) == (kind == "slo")
        assert ("X-Object-Manifest" in head) == (kind == "dlo")
        assert len(c.list(segments)) == 4
        swift("download", name, "big", "-o", "back")
        assert (tmp_path / "back").read_bytes() == data
        (tmp_path / "big").write_bytes(data[:700000])
        swift("upload", name, "big", "-S", "300000", *use)
        assert c.get(name + "/big").body == data[:700000]
        assert len(c.list(segments)) == 3       # the old ones are gone
        swift("delete", name, "big")
        assert c.list(name) == [] and c.list(segments) == []
    finally:
        c.empty(segments)
        c.close()


def test_openstack(run, name, tmp_path):
    make_tree(tmp_path / "tree", 3)
    run("openstack", "container", "create", name)
    assert name in run("openstack", "container", "list", "-f", "value")
    run("openstack", "object", "create", name, "tree/d1/f 1.txt", "--name", "one")
    assert run("openstack", "object", "list", name, "-f", "value").strip() == "one"
    shown = json.loads(run("openstack", "object", "show", name, "one", "-f", "json"))
    assert int(shown["content-length"]) == 1000
    run("openstack", "container", "set", name, "--property", "Kind=test")
    assert json.loads(run("openstack", "container", "show", name, "-f", "json"))[
        "properties"]["Kind"] == "test"
    run("openstack", "object", "save", name, "one", "--file", "saved")
    assert (tmp_path / "saved").read_bytes() == (tmp_path / "tree/d1/f 1.txt").read_bytes()
    run("openstack", "object", "delete", name, "one")
    run("openstack", "container", "delete", name)


def test_rclone(run, name, tmp_path):
    def rclone(*args, **kw):
        return run("rclone", *args, drop=("OS_", "ST_"), **kw)

    make_tree(tmp_path / "tree")
    rclone("mkdir", "nt:" + name)
    rclone("sync", "tree", "nt:" + name)
    rclone("check", "tree", "nt:" + name)
    assert len(rclone("lsf", "-R", "--files-only", "nt:" + name).splitlines()) == 30
    (tmp_path / "tree/d0/f 3.txt").write_bytes(b"changed")
    (tmp_path / "tree/d1/f 4.txt").unlink()
    rclone("sync", "tree", "nt:" + name)
    rclone("check", "tree", "nt:" + name)
    rclone("copy", "nt:" + name, "back")
    subprocess.run(["diff", "-r", "tree", "back"], cwd=tmp_path, check=True)
    # In pieces: a dynamic large object.
    data = os.urandom(5000000)
    (tmp_path / "big").write_bytes(data)
    rclone("copy", "big", "nt:" + name, "--swift-chunk-size", "2M")
    assert len(rclone("lsf", "-R", "--files-only", "nt:" + name + "_segments").splitlines()) == 3
    rclone("copyto", "nt:" + name + "/big", "big back")
    assert (tmp_path / "big back").read_bytes() == data
    run("sh", "-c", "cat big | rclone rcat --swift-chunk-size 2M --streaming-upload-cutoff 1k "
        "nt:%s/streamed" % name, drop=("OS_", "ST_"))
    rclone("copyto", "nt:" + name + "/streamed", "streamed")
    assert (tmp_path / "streamed").read_bytes() == data
    rclone("delete", "nt:" + name + "/big")
    rclone("delete", "nt:" + name + "/streamed")
    assert rclone("lsf", "-R", "--files-only", "nt:" + name + "_segments") == ""
    rclone("purge", "nt:" + name + "_segments")
    rclone("purge", "nt:" + name)
    assert name not in rclone("lsd", "nt:")


def test_curl(run, name, cluster, tmp_path):
    headers = run("curl", "-sS", "-D-", "-o/dev/null", "-H", "X-Auth-User: test:tester",
                  "-H", "X-Auth-Key: testing", cluster.endpoint + "/auth/v1.0")
    token = [h.split(": ")[1] for h in headers.splitlines() if h.startswith("X-Auth-Token: ")][0]
    url = "%s/v1/AUTH_test/%s" % (cluster.endpoint, name)
    auth = ["-H", "X-Auth-Token: " + token]
    (tmp_path / "big").write_bytes(os.urandom(3 << 20))
    run("curl", "-sSf", *auth, "-X", "PUT", url)
    run("curl", "-sSf", *auth, "-T", "big", url + "/big")
    run("curl", "-sSf", *auth, "-T", "-", "-H", "Transfer-Encoding: chunked", url + "/empty")
    run("curl", "-sSf", *auth, "-o", "got", url + "/big")
    assert (tmp_path / "got").read_bytes() == (tmp_path / "big").read_bytes()
    run("curl", "-sSf", *auth, "-r", "100-199", "-o", "part", url + "/big")
    assert (tmp_path / "part").read_bytes() == (tmp_path / "big").read_bytes()[100:200]
    assert run("curl", "-sSf", *auth, url).split() == ["big", "empty"]
