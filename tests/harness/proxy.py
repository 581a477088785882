"""A further proxy on the store of a cluster, as another host would run one."""
import os
import re
import signal
import subprocess
import time

from tests.harness.client import Client


class SecondProxy:
    """Runs needletail-proxy with the cluster's configuration on a port of its own.

    change(text) may rewrite the configuration; more is appended to it. Use it as a context."""

    def __init__(self, cluster, port, change=None, more="", name="second"):
        self.cluster, self.port, self.name = cluster, port, name
        self.change, self.more = change, more
        self.conf = os.path.join(cluster.home, name + ".conf")
        self.process = None
        self.write()

    def write(self, change=None, more=None):
        """The configuration anew; for reload()."""
        change, more = change or self.change, self.more if more is None else more
        with open(os.path.join(self.cluster.home, "needletail.conf"), encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"^bind_port = %d$" % self.cluster.port, "bind_port = %d" % self.port, text,
                      flags=re.M)
        text = re.sub(r"^dir = log$", "dir = log-" + self.name, text, flags=re.M)
        os.makedirs(os.path.join(self.cluster.home, "log-" + self.name), exist_ok=True)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write((change(text) if change else text) + "\n" + more)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, wait_s=60.0):
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [os.path.join(self.cluster.bin, "needletail-proxy"), "--conf", self.conf,
             "--ready-fd", str(write)], pass_fds=[write], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.close(write)
        os.set_blocking(read, False)
        deadline = time.monotonic() + wait_s * float(os.environ.get("NEEDLETAIL_SLOWNESS", "1"))
        try:
            while True:
                try:
                    if os.read(read, 64):
                        return
                except BlockingIOError:
                    pass
                if self.process.poll() is not None:
                    raise AssertionError(self.process.stdout.read().decode())
                assert time.monotonic() < deadline, "the second proxy is not ready"
                time.sleep(0.02)
        finally:
            os.close(read)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        output = self.process.communicate(timeout=60)[0].decode(errors="replace")
        self.process = None
        assert "ERROR: " not in output and "runtime error" not in output, output

    def client(self, user=None):
        return Client("127.0.0.1", self.port, user)

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.port
