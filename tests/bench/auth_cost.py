"""What it costs to know who asks: the proxy's processor time per GET of 4 KiB with a token or a
temporary URL against the same GET of what anybody may read; and the p99 of GETs while others log in
against the p99 while the same number of requests ask for nothing secret."""
import http.client
import json
import threading
import time
from statistics import median

COST, LOGIN_P99 = 1.1, 1.1              # at most, as multiples
LOGINS_PER_MINUTE = 1000
SHORT_RUNS = 6                          # of one kind in the time of a usual run
HEADERS = {"Content-Type": "application/json"}


def request(port, method, path, headers=None, doc=None):
    """(status, headers) of one request on a connection of its own."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path, json.dumps(doc) if doc else None, dict(HEADERS, **(headers or {})))
    res = c.getresponse()
    body = res.read()
    c.close()
    return res.status, res.headers, body


def login_v3(user, password, project):
    return {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "password": password, "domain": {"name": "Default"}}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}


def token_v3(port, user="tester", password="testing", project="test"):
    status, headers, body = request(port, "POST", "/v3/auth/tokens",
                                    doc=login_v3(user, password, project))
    assert status == 201, body
    return headers["X-Subject-Token"]


def stored_user(port):
    """A user made through the API, whose password is hashed: (name, password, project)."""
    admin = {"X-Auth-Token": token_v3(port, "admin", "admin", "admin")}

    def one(method, path, doc=None):
        status, _, body = request(port, method, path, admin, doc)
        assert status in (200, 201, 204), body
        return json.loads(body) if body else None

    user = one("POST", "/v3/users", {"user": {"name": "bench", "password": "a password"}})
    roles = {r["name"]: r["id"] for r in one("GET", "/v3/roles")["roles"]}
    one("PUT", "/v3/projects/test/users/%s/roles/%s" % (user["user"]["id"], roles["member"]))
    return "bench", "a password", "test"


def cpu_s(processes):
    """Seconds of processor time that the processes have had."""
    total = 0
    for p in processes:
        with open("/proc/%d/schedstat" % p.pid) as f:
            total += int(f.read().split()[0])
    return total / 1e9


class Steady(threading.Thread):
    """Calls one(i) so many times a minute, whatever the answers take, until end()."""

    def __init__(self, per_minute, one):
        super().__init__(daemon=True)
        self.gap_s, self.one, self.ending, self.done = 60 / per_minute, one, threading.Event(), 0

    def run(self):
        start = time.monotonic()
        while not self.ending.wait(max(start + self.done * self.gap_s - time.monotonic(), 0)):
            self.one(self.done)
            self.done += 1

    def end(self):
        self.ending.set()
        self.join()


def cost_rows(bench, cluster):
    """(what, ratio, bound, unit): each kind of GET beside the public one, in turn, in many short
    runs; of their ratios the median, which others on the machine move least."""
    kinds = [("getpublic", []), ("get4k", []), ("get4k", ["--token", token_v3(cluster.port)]),
             ("tempurl", []), ("tempurl", ["--digest", "sha1"])]
    names = ["public", "v1 token", "v3 token", "temporary URL", "temporary URL, sha1"]
    costs = [[] for _ in kinds]
    workers = cluster.processes("needletail-proxy: ")
    bench.load("auth", "getpublic", "-n", "2000")
    for _ in range(SHORT_RUNS * bench.args.rounds):
        for i, (workload, options) in enumerate(kinds):
            before = cpu_s(workers)
            result = bench.load("auth", workload, "-d", "%g" % (bench.args.seconds / SHORT_RUNS),
                                *options, label=names[i])
            if result and result["ops"]:
                costs[i].append((cpu_s(workers) - before) / result["ops"])
            bench.progress()
    rows = [("proxy, CPU of a public GET of 4 KiB", median(costs[0]) * 1e6, None, "us")]
    for i in range(1, len(kinds)):
        pairs = zip(costs[i], costs[0])
        rows.append(("  with a %s, against that" % names[i],
                     median([a / b for a, b in pairs]), COST, "x"))
    return rows


def login_rows(bench, cluster):
    """p99 of GETs with 1,000 logins a minute beside them, against 1,000 other requests."""
    port = cluster.port
    v3 = login_v3("tester", "testing", "test")
    stored = login_v3(*stored_user(port))
    v1 = {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}

    def nothing(_):
        request(port, "GET", "/healthcheck")

    def configured(i):
        if i % 2:
            assert request(port, "GET", "/auth/v1.0", v1)[0] == 200
        else:
            assert request(port, "POST", "/v3/auth/tokens", doc=v3)[0] == 201

    def hashed(_):
        assert request(port, "POST", "/v3/auth/tokens", doc=stored)[0] == 201

    kinds = [nothing, configured, hashed]
    p99 = [[] for _ in kinds]
    for _ in range(3 * bench.args.rounds):
        for i, one in enumerate(kinds):
            beside = Steady(LOGINS_PER_MINUTE, one)
            beside.start()
            result = bench.load("auth", "get4k", label=one.__name__)
            beside.end()
            if result:
                p99[i].append(result["p99_ms"])
            bench.progress()
    return [("p99 of GETs, %d logins a minute (%s)" % (LOGINS_PER_MINUTE, one.__name__),
             median([a / b for a, b in zip(p99[i], p99[0])]), LOGIN_P99, "x")
            for i, one in enumerate(kinds) if i]


def rows(bench, cluster):
    return cost_rows(bench, cluster) + login_rows(bench, cluster)
