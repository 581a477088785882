"""Debian's own Swift servers, each from its configuration in a folder; nothing in /etc is used."""
import os
import shutil
import subprocess
import sys
import textwrap
import time
import urllib.request

LAUNCH = '''
import os, runpy, sys
import swift.common.utils as utils
modules = [utils] + [m for n, m in sys.modules.items() if n.startswith("swift.common.utils.")]
for module in modules:
    if hasattr(module, "SWIFT_CONF_FILE"):
        module.SWIFT_CONF_FILE = os.environ["SWIFT_CONF"]
    if hasattr(module, "HASH_PATH_PREFIX"):
        module.HASH_PATH_PREFIX = module.HASH_PATH_SUFFIX = b""
utils.validate_configuration()
from swift.common import constraints, storage_policy
constraints.reload_constraints()
storage_policy.reload_storage_policies()
program = sys.argv[1]
sys.argv = ["swift-" + program] + sys.argv[2:]
runpy.run_path("/usr/bin/swift-" + program, run_name="__main__")
'''

STORAGE = """
    [DEFAULT]
    devices = {srv}
    mount_check = false
    bind_ip = 127.0.0.1
    bind_port = {port}
    workers = 0
    user = {user}
    swift_dir = {etc}
    log_level = WARNING
    eventlet_debug = false
    fallocate_reserve = 0
    [pipeline:main]
    pipeline = healthcheck {kind}-server
    [app:{kind}-server]
    use = egg:swift#{kind}
    conn_timeout = 5
    node_timeout = 30
    container_update_timeout = 20
    [filter:healthcheck]
    use = egg:swift#healthcheck
"""

PROXY = """
    [DEFAULT]
    bind_ip = 127.0.0.1
    bind_port = {port}
    workers = 0
    user = {user}
    swift_dir = {etc}
    log_level = WARNING
    eventlet_debug = false
    [pipeline:main]
    pipeline = catch_errors gatekeeper healthcheck cache listing_formats tempauth copy {more}
        proxy-server
    [app:proxy-server]
    use = egg:swift#proxy
    allow_account_management = true
    account_autocreate = true
    conn_timeout = 5
    node_timeout = 30
    recoverable_node_timeout = 30
    [filter:catch_errors]
    use = egg:swift#catch_errors
    [filter:gatekeeper]
    use = egg:swift#gatekeeper
    [filter:healthcheck]
    use = egg:swift#healthcheck
    [filter:cache]
    use = egg:swift#memcache
    memcache_servers = 127.0.0.1:{memcached}
    [filter:listing_formats]
    use = egg:swift#listing_formats
    [filter:copy]
    use = egg:swift#copy
    [filter:slo]
    use = egg:swift#slo
    [filter:tempauth]
    use = egg:swift#tempauth
    user_test_tester = testing .admin
"""


def available():
    return all(os.path.exists("/usr/bin/swift-%s-server" % k)
               for k in ("proxy", "account", "container", "object"))


class SwiftServers:
    """Servers that share the folder etc (rings and swift.conf are put there by the caller)."""

    def __init__(self, folder):
        self.etc = os.path.join(folder, "etc")
        self.folder = folder
        os.makedirs(self.etc, exist_ok=True)
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self._running:
            p.terminate()
        for p in self._running:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def write(self, name, text):
        path = os.path.join(self.etc, name)
        with open(path, "w") as f:
            f.write(textwrap.dedent(text))
        return path

    def _spawn(self, name, command):
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        env = dict(os.environ, SWIFT_CONF=os.path.join(self.etc, "swift.conf"))
        self._running.append(subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                              stdout=log, stderr=log))
        log.close()

    def _launch(self, program, conf, name):
        self._spawn(name, ["/usr/bin/python3", "-c", LAUNCH, program, conf, "verbose"])

    def _user(self):
        return __import__("pwd").getpwuid(os.getuid()).pw_name

    def memcached(self, port):
        self._spawn("memcached", ["/usr/bin/memcached", "-u", self._user(), "-l", "127.0.0.1",
                                  "-p", str(port), "-m", "32"])

    def storage(self, kind, port, device):
        """One account, container or object server with one device of that name."""
        srv = os.path.join(self.folder, "srv-" + device)
        os.makedirs(os.path.join(srv, device), exist_ok=True)
        conf = self.write("%s-%d.conf" % (kind, port), STORAGE.format(
            srv=srv, port=port, kind=kind, etc=self.etc, user=self._user()))
        self._launch(kind + "-server", conf, "%s-%d" % (kind, port))

    def proxy(self, port, memcached, more=""):
        """more: filters behind copy."""
        conf = self.write("proxy.conf", PROXY.format(port=port, memcached=memcached, etc=self.etc,
                                                     user=self._user(), more=more))
        self._launch("proxy-server", conf, "proxy")

    def wait(self, ports, seconds=60):
        end = time.monotonic() + seconds
        for port in ports:
            while True:
                try:
                    urllib.request.urlopen("http://127.0.0.1:%d/healthcheck" % port, timeout=5)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise AssertionError("port %d: %s" % (port, self.logs())) from None
                    time.sleep(0.2)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(os.path.join(self.folder, name), errors="replace") as f:
                    text += "== %s\n%s" % (name, f.read()[-3000:])
        return text

    def copy_rings(self, folder):
        for name in os.listdir(folder):
            if name.endswith(".ring.gz"):
                shutil.copy(os.path.join(folder, name), self.etc)


if __name__ == "__main__":
    sys.exit("not a program")
