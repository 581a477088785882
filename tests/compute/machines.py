"""The launcher in a process of its own, as tests use it: a tiny image, a sandbox, commands."""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
SLOW = float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))
OFF, RUNNING, PAUSED, SUSPENDED, CRASHED = range(5)


def tiny_image():
    """The path of a small image that boots, made once per version of the script that makes it."""
    script = os.path.join(HERE, "mkimage.sh")
    with open(script, "rb") as f:
        folder = os.path.join(ROOT, "build/tiny", hashlib.md5(f.read()).hexdigest())
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "tiny.qcow2")
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            done = subprocess.run(["sh", script, folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=300, check=False)
            assert done.returncode == 0, done.stdout.decode(errors="replace")
    return path


def driver_path():
    bins = os.environ.get("NEEDLETAIL_BIN") or os.path.join(ROOT, "build/gcc/bin")
    path = os.path.join(os.path.dirname(os.path.abspath(bins)), "tests/compute/drive")
    assert os.path.exists(path), "make unit-programs builds %s" % path
    return path


class Sandbox:
    """Namespaces for processes and mounts; what was started in them ends with it."""

    def __init__(self):
        self.shell = subprocess.Popen([os.path.join(HERE, "sandbox.sh")], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        line = self.shell.stdout.readline()
        assert line == b"ready\n", line
        self.first = self._child(self._child(self.shell.pid))

    @staticmethod
    def _child(pid):
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return int(f.read().split()[-1])

    def command(self, *args):
        return ["nsenter", "-t", str(self.first), "-m", "-p", *args]

    def processes(self, pattern):
        """Command lines of what runs in here and has the pattern in it."""
        out = subprocess.run(self.command("ps", "-eo", "args"), stdout=subprocess.PIPE, check=True)
        return [x for x in out.stdout.decode().split("\n") if pattern in x]

    def close(self):
        self.shell.stdin.close()
        self.shell.wait(60)


class Launcher:
    """A process with the launcher; ask() tells it what to do."""

    def __init__(self, sandbox, conf):
        self.sandbox, self.conf = sandbox, conf
        self.lock, self.number, self.answers = threading.Condition(), 0, {}
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.sandbox.command(driver_path(), self.conf), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process):
        for line in process.stdout:
            answer = json.loads(line)
            with self.lock:
                self.answers[answer["n"]] = answer
                self.lock.notify_all()

    def send(self, do, machine=None, **more):
        with self.lock:
            self.number += 1
            number = self.number
        ask = dict(more, n=number, do=do)
        if machine:
            ask["id"] = machine
        self.process.stdin.write(json.dumps(ask).encode() + b"\n")
        self.process.stdin.flush()
        return number

    def answer(self, number, rc=0, wait_s=120):
        end = time.monotonic() + wait_s * SLOW
        with self.lock:
            while number not in self.answers:
                assert self.process.poll() is None, "the launcher ended"
                assert self.lock.wait(end - time.monotonic()), "no answer"
            answer = self.answers.pop(number)
        assert rc is None or answer["rc"] == rc, answer
        return answer

    def ask(self, do, machine=None, rc=0, **more):
        return self.answer(self.send(do, machine, **more), rc)

    def console(self, machine, *marks, wait_s=120):
        """Waits for the marks in the console's log, and returns it."""
        end = time.monotonic() + wait_s * SLOW
        while True:
            log = self.ask("observe", machine)["log"]
            if all(m in log for m in marks):
                return log
            assert time.monotonic() < end, "%r are not in:\n%s" % (marks, log)
            time.sleep(0.2)

    def state(self, machine):
        return self.ask("observe", machine)["state"]

    def wait_state(self, machine, state, wait_s=60):
        end = time.monotonic() + wait_s * SLOW
        while self.state(machine) != state:
            assert time.monotonic() < end, self.ask("observe", machine)
            time.sleep(0.1)

    def kill(self):
        """kill -9; `nsenter` is its parent, and ends with it."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid),
                  encoding="ascii") as f:
            children = f.read().split()
        subprocess.run(["kill", "-9", *children], check=True)
        self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(120 * SLOW)


class Host:
    """A sandbox with a launcher and its folder. compute: [compute] of a running cluster."""

    def __init__(self, compute, machine=""):
        # QEMU runs as another user, which has to get in.
        self.home = tempfile.mkdtemp(prefix="needletail-machine-")
        os.chmod(self.home, 0o711)
        self.state = os.path.join(self.home, "state")
        conf = os.path.join(self.home, "compute.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("%s\n[machine]\nstate_dir = %s\nvirt_type = qemu\n%s\n"
                    % (compute, self.state, machine))
        self.sandbox = Sandbox()
        self.launcher = Launcher(self.sandbox, conf)

    def files(self, folder):
        return sorted(os.listdir(os.path.join(self.state, folder)))

    def close(self):
        self.launcher.close()
        self.sandbox.close()
        shutil.rmtree(self.home)


def spec_of(image, **more):
    """What the launcher is given to make a machine of an image as the image service shows it."""
    return dict({
        "id": str(uuid.uuid4()), "name": "Tiny Machine", "project_id": "p" * 32,
        "flavor": {"vcpus": 1, "ram_mib": 192, "disk_gib": 0}, "config_drive": True,
        "image": {"id": image["id"], "disk_format": image["disk_format"],
                  "hash_algo": image["os_hash_algo"], "hash": image["os_hash_value"],
                  "checksum": image["checksum"], "size": image["size"]}}, **more)
