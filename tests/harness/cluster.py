"""An all-in-one cluster in a folder of its own, started by bin/needletail as `make run` does it."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from tests.harness.client import Client
from tests.harness.ports import PortBlock
from tests.harness.raw import Raw

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAIO_CONF = os.path.join(ROOT, "docs/operate/saio.conf")
# What a log shows when a program of ours has a bug.
BUG = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|assertion failed"
                 r"|stack smashing detected|buffer overflow detected")
PR_SET_PDEATHSIG = 1
# Those that the fixtures have started and not ended. Here, as pytest loads tests/conftest.py under
# a name of its own and whoever imports it has another copy.
RUNNING = []


class ClusterError(Exception):
    """The cluster did not start, stop or survive as it should; says what it logged."""


def _die_with_parent():
    """With the thread that started it, so start clusters from a thread that lives on."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """One running process: pid, parent, args (list of strings)."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        self.state, self.parent = fields[0], int(fields[1])
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            self.args = f.read().decode(errors="replace").split("\0")[:-1]

    @property
    def line(self):
        return " ".join(self.args).rstrip()

    def status_kib(self, name="VmRSS"):
        """A line of /proc/PID/status, in KiB."""
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        return 0

    def __repr__(self):
        return "<%d %s>" % (self.pid, self.line)


def descendants(root):
    """All living processes below the process root, parents before children."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                p = Process(int(name))
            except (OSError, IndexError):
                continue
            if p.state != "Z":
                children.setdefault(p.parent, []).append(p)
    found, todo = [], [root]
    while todo:
        for p in children.get(todo.pop(0), []):
            found.append(p)
            todo.append(p.pid)
    return found


class Cluster:
    """conf None is the configuration that `make run` has by default. home is kept when given,
    else removed by destroy(). env adds to the environment of the programs."""

    def __init__(self, conf=SAIO_CONF, home=None, port=None, env=None, args=()):
        self.conf, self.args, self.env = conf, list(args), dict(env or {})
        self._temporary = None if home else tempfile.mkdtemp(prefix="needletail-test-")
        self.home = home or os.path.join(self._temporary, "home")
        self._ports = None if port else PortBlock()
        self.host, self.port = "127.0.0.1", port or self._ports.first
        self.bin = os.path.abspath(
            os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin"))
        # Beside the home, which the launcher wants to find empty or its own.
        self.log_path = os.path.join(self._temporary, "launcher.log") if self._temporary else \
            self.home.rstrip("/") + ".launcher.log"
        self.launcher = None
        self._ready = threading.Event()

    @property
    def endpoint(self):
        return "http://%s:%d" % (self.host, self.port)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()

    # Starting and stopping.

    def start(self, wait_s=60.0):
        command = [os.path.join(ROOT, "bin/needletail"), "run", "--home", self.home,
                   "--port", str(self.port)]
        if self.conf:
            command += ["--conf", self.conf]
        env = dict(os.environ, NEEDLETAIL_BIN=self.bin, **self.env)
        self._ready.clear()
        self.launcher = subprocess.Popen(
            command + self.args, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent)
        threading.Thread(target=self._copy_log, args=(self.launcher,), daemon=True).start()
        deadline = time.monotonic() + wait_s
        while not self._ready.wait(0.02):
            if self.launcher.poll() is not None:
                time.sleep(0.1)
                raise ClusterError("bin/needletail ended with %d before it was ready:\n%s"
                                   % (self.launcher.returncode, self.log()))
            if time.monotonic() > deadline:
                log = self.log()
                self._kill_all()
                raise ClusterError("not ready after %.0f s:\n%s" % (wait_s, log))
        return self

    def _copy_log(self, launcher):
        os.makedirs(os.path.dirname(self.log_path), exist_ok=True)
        with open(self.log_path, "ab", buffering=0) as log:
            for line in launcher.stdout:
                log.write(line)
                if line.startswith(b"Needletail is ready"):
                    self._ready.set()

    def is_running(self):
        return self.launcher is not None and self.launcher.poll() is None

    def stop(self, wait_s=30.0, how=signal.SIGINT):
        """As Ctrl-C does. Raises when it takes too long or leaves a process behind."""
        if self.launcher is None:
            return
        if not self.is_running():
            self.launcher = None
            return
        below = descendants(self.launcher.pid)
        self.launcher.send_signal(how)
        try:
            self.launcher.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._kill_all()
            raise ClusterError("still running %.0f s after %s:\n%s"
                               % (wait_s, how.name, self.log())) from None
        left = [p for p in below if self._lives(p)]
        if left:
            self._kill(left)
            raise ClusterError("left behind after stopping: %r" % left)
        self.launcher = None

    def kill(self, pattern, how=signal.SIGKILL):
        """Signals every process of the cluster whose command line contains the pattern (the
        launcher is not one of them). Returns how many. "needletail-objectd: d1" is the worker of
        one device, "needletail-objectd: " all of them, "needletail-proxy: 0" one of the proxy;
        without the colon the master is meant too, whose end makes the launcher stop the rest."""
        return self._kill(self.processes(pattern), how)

    def kill_all(self):
        """kill -9 for everything at once, as a power cut for the processes."""
        self._kill_all()
        self.launcher = None

    def restart(self):
        self.stop()
        return self.start()

    def destroy(self, keep=False):
        """Stops and removes what was made. A failure to stop is raised after removing."""
        try:
            self.stop()
        finally:
            if self._ports:
                self._ports.release()
            if self._temporary and not keep:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def processes(self, pattern=""):
        if not self.is_running():
            return []
        return [p for p in descendants(self.launcher.pid) if pattern in p.line]

    @staticmethod
    def _lives(process):
        try:
            now = Process(process.pid)
        except (OSError, IndexError):
            return False
        return now.state != "Z" and now.args == process.args

    @staticmethod
    def _kill(processes, how=signal.SIGKILL):
        n = 0
        for p in processes:
            try:
                os.kill(p.pid, how)
                n += 1
            except ProcessLookupError:
                pass
        return n

    def _kill_all(self):
        if self.launcher is None:
            return
        below = descendants(self.launcher.pid)
        self.launcher.kill()
        self.launcher.wait()
        self._kill(below)
        deadline = time.monotonic() + 10
        while any(self._lives(p) for p in below) and time.monotonic() < deadline:
            time.sleep(0.01)

    # Speaking to it.

    def client(self, user="tester", **kw):
        return Client(self.host, self.port, user, **kw)

    def raw(self, **kw):
        return Raw(self.host, self.port, **kw)

    def wait_for(self, condition, wait_s=30.0, step_s=0.1, what="the condition"):
        """Calls condition() until it is true; its value."""
        deadline = time.monotonic() + wait_s
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError("%s did not come true in %.0f s" % (what, wait_s))
            time.sleep(step_s)

    # Logs.

    def log_files(self):
        found = [self.log_path] if os.path.exists(self.log_path) else []
        for folder, _, names in os.walk(os.path.join(self.home, "log")):
            found += [os.path.join(folder, n) for n in names if n.endswith(".log")]
        return sorted(set(found))

    def log_marks(self):
        """Where the logs end now; for log(since=…)."""
        return {path: os.path.getsize(path) for path in self.log_files()}

    def log(self, since=None, lines=None):
        """The text of all logs, from the marks on; of each log the last lines."""
        texts = []
        for path in self.log_files():
            with open(path, "rb") as f:
                f.seek((since or {}).get(path, 0))
                text = f.read().decode(errors="replace")
            if lines:
                text = "".join(text.splitlines(keepends=True)[-lines:])
            if text:
                texts.append("== %s\n%s" % (path, text))
        return "".join(texts)

    def bugs(self, since=None):
        """Lines that show a bug of ours: sanitizer reports, failed assertions."""
        return [line for line in self.log(since).splitlines() if BUG.search(line)]
