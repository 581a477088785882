"""A cluster of several hosts, each with an address and a network namespace of its own, set up by
the commands and the configuration of docs/operate/installation.md."""
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
import threading
import time

from tests.harness.client import Client
from tests.harness.cluster import BUG, ROOT, ClusterError, descendants
from tests.harness.network import Network, inside

MANUAL = os.path.join(ROOT, "docs/operate/installation.md")
USER, KEY = "demo:demo", "hosts-test-key"
PORT = 8080


def manual_blocks(heading):
    """The commands and files that a section of the installation manual shows, in order."""
    with open(MANUAL) as f:
        section = re.search(r"^## %s.*?\n(.*?)(?=^## |\Z)" % re.escape(heading), f.read(),
                            re.M | re.S).group(1)
    return [textwrap.dedent(b).strip("\n") + "\n"
            for b in re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.M)]


class Host:
    """One host: its programs and its folder. root/sdb and root/sdc are its disks."""

    def __init__(self, hosts, i):
        self.hosts, self.i = hosts, i
        self.address = hosts.network.addresses[i]
        self.namespace = hosts.network.namespace(i)
        self.root = os.path.join(hosts.root, "s%d" % (i + 1))
        self.rings = os.path.join(self.root, "rings")
        self.conf = os.path.join(self.root, "needletail.conf")
        self.running = {}
        for folder in ("rings", "log", "home", "sdb", "sdc"):
            os.makedirs(os.path.join(self.root, folder))

    def start(self, *programs):
        """Those named ("objectd", "proxy"), or both; running ones stay."""
        for name in programs or ("objectd", "proxy"):
            if self.is_running(name):
                continue
            with open(os.path.join(self.root, name + ".out"), "ab") as out:
                self.running[name] = subprocess.Popen(
                    ["ip", "netns", "exec", self.namespace,
                     os.path.join(self.hosts.bin, "needletail-" + name), "--conf", self.conf],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def is_running(self, name):
        return name in self.running and self.running[name].poll() is None

    def stop(self, *programs):
        """As systemd does."""
        for name in programs or list(self.running):
            process = self.running.pop(name, None)
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    self.running[name] = process
                    self.kill(name)
                    raise ClusterError("%s of %s did not stop" % (name, self.address)) from None

    def _signal(self, programs, how):
        for name in programs or list(self.running):
            process = self.running[name]
            if process.poll() is None:
                for p in [*descendants(process.pid), process]:
                    try:
                        os.kill(p.pid, how)
                    except ProcessLookupError:
                        pass

    def kill(self, *programs):
        """kill -9 for masters and workers at once: all that a power cut does to processes."""
        self._signal(programs, signal.SIGSTOP)
        self._signal(programs, signal.SIGKILL)
        for name in programs or list(self.running):
            self.running.pop(name).wait()

    def freeze(self, *programs):
        self._signal(programs, signal.SIGSTOP)

    def thaw(self, *programs):
        self._signal(programs, signal.SIGCONT)

    def lose_disk(self, name):
        """Empties a disk, as a new one in the slot of a dead one. objectd is stopped meanwhile."""
        self.stop("objectd")
        shutil.rmtree(os.path.join(self.root, name))
        os.makedirs(os.path.join(self.root, name))

    def client(self, user=USER, key=KEY, **kw):
        """A client at the switch that speaks to this host's proxy; log in by yourself if user is
        None."""
        client = Client(self.address, PORT, **kw)
        if user:
            client.login(user, key)
        return client

    def log(self):
        texts = []
        for path in sorted(glob.glob(self.root + "/*.out") + glob.glob(self.root + "/log/*.log")):
            with open(path, errors="replace") as f:
                texts.append("== %s\n%s" % (path, f.read()))
        return "".join(texts)


class Hosts:
    """with Hosts() as hosts: a running cluster; the thread stands at the switch meanwhile. conf is
    appended to every host's configuration; part_power replaces the manual's 14."""

    def __init__(self, count=4, conf="", part_power=8):
        self.bin = os.path.abspath(
            os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"))
        self.root = tempfile.mkdtemp(prefix="needletail-hosts-")
        self.builders = os.path.join(self.root, "builders")
        self.part_power, self._inside = part_power, None
        self.network = Network(count)
        self.hosts = [Host(self, i) for i in range(count)]
        os.makedirs(self.builders)
        for host in self.hosts:
            with open(host.conf, "w") as f:
                f.write(self._configuration(host) + conf)

    def __getitem__(self, i):
        return self.hosts[i]

    def __iter__(self):
        return iter(self.hosts)

    def __enter__(self):
        self._inside = inside(self.network.switch)
        self._inside.__enter__()
        try:
            self.make_rings()
            for host in self.hosts:
                host.start()
            self.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.network.heal()
            for host in self.hosts:
                host.thaw()
            for host in self.hosts:
                host.stop()
        finally:
            for host in self.hosts:
                host.kill()
            self._inside.__exit__(None, None, None)
            self.network.close()
            bugs = self.bugs()
            if not os.environ.get("NEEDLETAIL_KEEP"):
                shutil.rmtree(self.root, ignore_errors=True)
        assert not bugs, "bugs reported:\n" + "\n".join(bugs)

    # What the manual says.

    def _local(self, text, host=None):
        """Its paths and secrets, as this test has them."""
        for old, new in (("THE HASH SUFFIX", "0123456789abcdef0123456789abcdef"),
                         ("THE TOKEN KEY", "fedcba9876543210" * 4), ("A USER'S KEY", KEY)):
            text = text.replace(old, new)
        if host:
            for old, new in (("/etc/needletail/rings", host.rings),
                             ("/var/lib/needletail", os.path.join(host.root, "home")),
                             ("/var/log/needletail", os.path.join(host.root, "log")),
                             ("/srv/node/", host.root + "/"), ("/needletail\n", "\n"),
                             ("10.0.0.1", host.address)):
                text = text.replace(old, new)
        return text

    def _configuration(self, host):
        block = next(b for b in manual_blocks("3.") if b.startswith("[cluster]"))
        return self._local(block, host)

    def make_rings(self):
        block = next(b for b in manual_blocks("2.") if "rebalance" in b)
        block = re.sub(r"^cd .*\n", "", block).replace("create 14", "create %d" % self.part_power)
        block = block.replace("1 2 3 4", " ".join(str(h.i + 1) for h in self.hosts))
        self.ringtool_script(block)
        self.copy_rings()

    def ringtool_script(self, script):
        """Commands of the manual, where the builders are; what they print."""
        done = subprocess.run(["bash", "-e", "-c", script], cwd=self.builders, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env=dict(os.environ, PATH=self.bin + ":" + os.environ["PATH"]))
        if done.returncode not in (0, 1):       # 1: a warning, as swift-ring-builder's
            raise ClusterError("ringtool: %s" % done.stdout)
        return done.stdout

    def copy_rings(self, to=None):
        for host in to or self.hosts:
            for name in os.listdir(self.builders):
                if name.endswith(".ring.gz"):
                    new = os.path.join(host.rings, "." + name)
                    shutil.copy(os.path.join(self.builders, name), new)
                    os.rename(new, os.path.join(host.rings, name))

    # Watching.

    def wait_until_up(self, hosts=None, wait_s=60):
        def up(host):
            client = host.client(None, timeout_s=2)
            try:
                return client.get("/healthcheck").status == 200
            except OSError:
                return False
            finally:
                client.close()

        for host in hosts or self.hosts:
            self.wait_for(lambda host=host: up(host), wait_s, what="%s answers" % host.address)
        self.wait_for(lambda: self.hosts[0].client().put("up").status in (201, 202), wait_s)

    def wait_for(self, condition, wait_s=60, step_s=0.2, what="the condition"):
        deadline = time.monotonic() + wait_s * float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))
        while True:
            try:
                value = condition()
            except (AssertionError, OSError):
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise ClusterError("%s did not come true in %.0f s\n%s" % (
                    what, wait_s, "".join(h.log()[-4000:] for h in self.hosts)))
            time.sleep(step_s)

    def wait_until_replicated(self, wait_s=90):
        """Until every device has made a whole pass, begun after this call, in which nobody had
        anything to send."""
        devices = [self.device(h.i, d) for h in self.hosts for d in ("sdb", "sdc")]

        def state():
            return [d.get("/recon/replication/object").json for d in devices]

        def quiet(before):
            now = state()
            if any(n["needletail"]["passes"] < b["needletail"]["passes"] + 2
                   for n, b in zip(now, before)):
                return False
            return now if not any(n["needletail"]["sent"] or n["needletail"]["given_back"]
                                  for n in now) else self.wait_for(
                                      lambda: quiet(now), wait_s, what="a quiet pass")

        before = state()
        self.wait_for(lambda: quiet(before), wait_s, what="a pass with nothing to send")

    def device(self, host, name):
        """A client of a device's own port."""
        return Client(self.hosts[host].address, {"sdb": 6201, "sdc": 6202}[name], timeout_s=10)

    def bugs(self):
        return [line for host in self.hosts for line in host.log().splitlines()
                if BUG.search(line)]


class History:
    """Writers of their own names, whose every answer is kept; check() finds what was lost, what
    came back and what nobody ever wrote. One thread a proxy."""

    def __init__(self, clients, container, names=40):
        self.container, self._end, self.errors = container, threading.Event(), []
        self.told = {}                  # name -> bodies that may be read; None: nothing
        self.writes = 0
        self._threads = [threading.Thread(target=self._write, args=(c, i, names), daemon=True)
                         for i, c in enumerate(clients)]

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for t in self._threads:
            t.join()
        assert not self.errors, self.errors[:5]

    def _write(self, client, i, names):
        n = 0
        try:
            while not self._end.is_set():
                name = "w%d-%03d" % (i, n % names)
                delete = n % 7 == 6 and self.told.get(name, {None}) != {None}
                body = None if delete else b"%s %d %s" % (name.encode(), n, b"." * (n * 97 % 9000))
                self._one(client, name, body)
                n += 1
        except Exception as e:  # told to the test, not to a thread that nobody reads
            self.errors.append(repr(e))

    def _one(self, client, name, body):
        before = self.told.get(name, {None})
        self.told[name] = before | {body}       # until told otherwise it may be either
        path = "%s/%s" % (self.container, name)
        try:
            res = client.delete(path) if body is None else client.put(path, body=body)
        except OSError:
            return
        self.writes += 1
        if res.status in (201, 204):
            self.told[name] = {body}
        elif res.status == 404 and body is None and None not in before:
            self.errors.append("%s was lost: DELETE said 404" % name)

    def check(self, client):
        """What every name reads as now; raises with what is wrong."""
        wrong = []
        for name, allowed in sorted(self.told.items()):
            res = client.get("%s/%s" % (self.container, name))
            got = res.body if res.status == 200 else None if res.status == 404 else res
            if got not in allowed:
                what = "lost" if got is None else "resurrected" if allowed == {None} else "stale"
                wrong.append((what, name, res, [b and b[:40] for b in allowed]))
        assert not wrong, "%d of %d wrong: %r" % (len(wrong), len(self.told), wrong[:5])
        listed = set(client.list(self.container))
        for name, allowed in self.told.items():
            assert name in listed or None in allowed, "%s is not listed" % name
            assert name not in listed or allowed != {None}, "%s is listed and deleted" % name
