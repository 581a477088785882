"""Storage devices without a proxy: one needletail-objectd with n devices, or Debian's Swift
servers for the same rings, so that expectations can be checked against the original."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tests.harness.cluster import BUG, ROOT
from tests.harness.ports import PortBlock
from tests.harness.raw import Raw
from tests.harness.swift import md5, quote, timestamp

PREFIX, SUFFIX = "pre", "suf"
PART_POWER = 4
POLICIES = "[storage-policy:0]\nname = gold\ndefault = yes\n[storage-policy:1]\nname = silver\n"


def make_rings(folder, ports, replicas=3, weights=None, part_power=PART_POWER):
    """account, container, object (as many replicas as told) and object-1 (two); devices d1 …"""
    from swift.common.ring import RingBuilder
    for name, count in (("account", replicas), ("container", replicas), ("object", replicas),
                        ("object-1", 2)):
        builder = RingBuilder(part_power, min(count, len(ports)), 0)
        for i, port in enumerate(ports):
            builder.add_dev({"region": 1, "zone": i + 1, "ip": "127.0.0.1", "port": port,
                             "device": "d%d" % (i + 1),
                             "weight": weights[i] if weights else 100})
        builder.rebalance(seed=1)
        builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))


class Placement:
    """Where things belong, by the rings in a folder."""

    def __init__(self, folder):
        from swift.common import utils
        from swift.common.ring import Ring
        utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = PREFIX.encode(), SUFFIX.encode()
        utils.validate_hash_conf = lambda: None
        self._rings = {name: Ring(folder, ring_name=name)
                       for name in ("account", "container", "object", "object-1")}

    def nodes(self, account, container=None, obj=None, policy=0):
        """(partition, primaries)"""
        name = "account" if container is None else "container" if obj is None else \
            "object-1" if policy == 1 else "object"
        return self._rings[name].get_nodes(account, container, obj)

    def handoffs(self, account, container=None, obj=None, policy=0):
        name = "account" if container is None else "container" if obj is None else \
            "object-1" if policy == 1 else "object"
        ring = self._rings[name]
        return list(ring.get_more_nodes(ring.get_part(account, container, obj)))


class Objectd:
    """needletail-objectd with n devices in a folder of its own."""

    def __init__(self, devices=1, conf="", replicas=3, env=None, part_power=PART_POWER):
        self.home = tempfile.mkdtemp(prefix="needletail-objectd-")
        self._block = PortBlock()
        self.ports = [self._block.first + i for i in range(devices)]
        self.names = ["d%d" % (i + 1) for i in range(devices)]
        self.rings = os.path.join(self.home, "rings")
        os.mkdir(self.rings)
        make_rings(self.rings, self.ports, replicas, part_power=part_power)
        self.placement = Placement(self.rings)
        self.conf, self.env = conf, env or {}
        self.process = None
        self.log_path = os.path.join(self.home, "log")

    def write_conf(self):
        path = os.path.join(self.home, "conf")
        with open(path, "w") as f:
            f.write("[cluster]\nhome = %s\nring_dir = %s\nstop_timeout = 2s\n"
                    % (self.home, self.rings))
            f.write("[swift-hash]\nswift_hash_path_prefix = %s\nswift_hash_path_suffix = %s\n"
                    % (PREFIX, SUFFIX))
            f.write(POLICIES)
            for name, port in zip(self.names, self.ports):
                f.write("[device:%s]\nport = %d\n" % (name, port))
            f.write(self.conf)
        return path

    def start(self, wait_s=30.0):
        program = os.path.join(os.path.abspath(os.environ.get("NEEDLETAIL_BIN") or
                                               os.path.join(ROOT, "build/gcc/bin")),
                               "needletail-objectd")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program, "--conf", self.write_conf()], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, **self.env))
        deadline = time.monotonic() + wait_s
        for port in self.ports:
            while not self._answers(port):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError("objectd did not start:\n" + self.log())
                time.sleep(0.02)
        return self

    @staticmethod
    def _answers(port):
        try:
            with Raw("127.0.0.1", port, 2) as raw:
                raw.send("GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return raw.response().status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGTERM, wait_s=15.0):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(wait_s)
        self.process = None

    def worker(self, device):
        """The process id of a device's worker."""
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open("/proc/%s/stat" % pid) as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    title = f.read().decode(errors="replace")
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and device in title:
                return int(pid)
        raise AssertionError("no worker of %s" % device)

    def destroy(self):
        try:
            self.stop()
            bugs = [line for line in self.log().splitlines() if BUG.search(line)]
            assert not bugs, "\n".join(bugs)
        finally:
            self._block.release()
            if not os.environ.get("NEEDLETAIL_KEEP"):
                shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()

    def device(self, i=0):
        return Device("127.0.0.1", self.ports[i], self.names[i])

    def devices(self):
        return [self.device(i) for i in range(len(self.ports))]

    def device_of(self, node):
        """A ring's device."""
        return Device("127.0.0.1", node["port"], node["device"])


class SwiftServers:
    """One device of Debian's account, container and object servers."""
    names = ["d1"]

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="needletail-swift-")
        self._block = PortBlock()
        self.port, self.container_port = self._block.first, self._block.first + 1
        self.account_port = self._block.first + 2
        self.rings = os.path.join(self.home, "etc")
        os.makedirs(os.path.join(self.home, "node/d1"))
        os.mkdir(self.rings)
        make_rings(self.rings, [self.port], 1)
        self._processes = []

    def start(self):
        with open(os.path.join(self.rings, "swift.conf"), "w") as f:
            f.write("[swift-hash]\nswift_hash_path_prefix = %s\nswift_hash_path_suffix = %s\n"
                    % (PREFIX, SUFFIX) + POLICIES)
        for kind, port in (("object", self.port), ("container", self.container_port),
                           ("account", self.account_port)):
            self._start_server(kind, port)
        return self

    def _start_server(self, kind, port):
        conf = os.path.join(self.rings, kind + ".conf")
        with open(conf, "w") as f:
            f.write("[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %d\nworkers = 0\nuser = root\n"
                    "devices = %s/node\nmount_check = false\nswift_dir = %s\nlog_level = WARNING\n"
                    "[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n"
                    % (port, self.home, self.rings, kind, kind, kind))
        code = ("import sys; from swift.common import utils; utils.SWIFT_CONF_FILE = %r; "
                "from swift.common import storage_policy as s; s.reload_storage_policies(); "
                "from swift.common.wsgi import run_wsgi; "
                "sys.exit(run_wsgi(%r, '%s-server', default_port=0))"
                % (os.path.join(self.rings, "swift.conf"), conf, kind))
        with open(os.path.join(self.home, "log"), "ab") as log:
            self._processes.append(
                subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log))
        deadline = time.monotonic() + 20
        while True:
            try:
                Raw("127.0.0.1", port, 2).close()
                return
            except OSError:
                assert time.monotonic() < deadline, open(os.path.join(self.home, "log")).read()
                time.sleep(0.1)

    def device(self, _=0):
        return Device("127.0.0.1", self.port, "d1", self.container_port)

    def destroy(self):
        for p in self._processes:
            p.terminate()
            p.wait(10)
        self._block.release()
        shutil.rmtree(self.home, ignore_errors=True)


class Device:
    """Speaks the backend protocol to one device; a connection per request."""

    def __init__(self, ip, port, name, container_port=None):
        self.ip, self.port, self.name = ip, port, name
        self.container_port = container_port or port

    @property
    def host(self):
        return "%s:%d" % (self.ip, self.port)

    @property
    def container_host(self):
        return "%s:%d" % (self.ip, self.container_port)

    def request(self, method, path, headers=None, body=b"", part=1, policy=0, raw_path=None,
                port=None, timeout_s=20):
        """path: "a", "a/c" or "a/c/o". X-Timestamp is now unless given; None leaves one out."""
        fields = {"X-Timestamp": timestamp(), "X-Backend-Storage-Policy-Index": str(policy)}
        if method in ("PUT", "POST"):
            fields["Content-Length"] = str(len(body))
        if method == "PUT":
            fields["Content-Type"] = "text/plain"
        fields.update(headers or {})
        target = raw_path or "/%s/%s/%s" % (self.name, part, quote(path))
        head = "%s %s HTTP/1.1\r\nHost: x\r\n" % (method, target)
        head += "".join("%s: %s\r\n" % f for f in fields.items() if f[1] is not None)
        with Raw(self.ip, port or self.port, timeout_s) as raw:
            raw.send((head + "Connection: close\r\n\r\n").encode() + body)
            return raw.response(method)

    def put(self, path, body=b"data", headers=None, **kw):
        return self.request("PUT", path, headers, body, **kw)

    def get(self, path, headers=None, **kw):
        return self.request("GET", path, headers, **kw)

    def head(self, path, headers=None, **kw):
        return self.request("HEAD", path, headers, **kw)

    def post(self, path, headers=None, **kw):
        return self.request("POST", path, headers, **kw)

    def delete(self, path, headers=None, **kw):
        return self.request("DELETE", path, headers, **kw)

    def make_container(self, path, part=1, policy=0):
        res = self.request("PUT", path, {"X-Backend-Storage-Policy-Default": str(policy),
                                         "X-Backend-Storage-Policy-Index": str(policy)},
                           part=part, port=self.container_port)
        assert res.status in (201, 202), res

    def listing(self, path, part=1):
        """Names, as the container's device has them; None when it has no such container."""
        res = self.request("GET", path, part=part, port=self.container_port)
        if res.status == 404:
            return None
        assert res.status in (200, 204), res
        return res.body.decode().splitlines()

    def rows(self, path, part=1):
        """The listing in JSON."""
        import json
        res = self.request("GET", path, part=part, port=self.container_port,
                           raw_path="/%s/%s/%s?format=json" % (self.name, part, quote(path)))
        assert res.status == 200, res
        return json.loads(res.body)

    def pending(self):
        import json
        res = self.request("GET", "", raw_path="/recon/async")
        return json.loads(res.body)["async_pending"]

    def answers(self):
        return Objectd._answers(self.port)

    def metric(self, name):
        """The sum of a metric over its labels, of this device."""
        page = self.request("GET", "", raw_path="/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                   if line.startswith(name + "{") and 'device="%s"' % self.name in line)

    def recon(self, what):
        import json
        res = self.request("GET", "", raw_path="/recon/" + what)
        assert res.status == 200, res
        return json.loads(res.body)

    def job(self, name, timeout_s=60):
        """A pass of a background job, now: reap, reconcile, audit, tidy, rings."""
        res = self.request("POST", "", raw_path="/%s/0/.needletail/%s" % (self.name, name),
                           timeout_s=timeout_s)
        assert res.status == 200, res

    def explain(self, path):
        import json
        res = self.request("POST", "", body=path.encode(),
                           raw_path="/%s/0/.needletail/explain" % self.name)
        assert res.status == 200, res
        return json.loads(res.body)

    def replicate(self, timeout_s=60):
        """A whole pass of this device's replicator; what it did."""
        import json
        res = self.request("POST", "", raw_path="/%s/0/.needletail/replicate" % self.name,
                           timeout_s=timeout_s)
        assert res.status == 200, res
        return json.loads(res.body)


def container_headers(device, part=1):
    """What a proxy says for a container on this device."""
    return {"X-Container-Host": device.container_host, "X-Container-Device": device.name,
            "X-Container-Partition": str(part)}


def wait_for(condition, wait_s=20.0, what="the condition"):
    deadline = time.monotonic() + wait_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "%s did not come true" % what
        time.sleep(0.05)


__all__ = ["Device", "Objectd", "Placement", "SwiftServers", "container_headers", "make_rings",
           "md5", "timestamp", "wait_for"]
