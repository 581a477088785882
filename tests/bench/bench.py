#!/usr/bin/python3
"""make bench: presses Needletail and the installed peers with the same workloads in turn; prints a
table of ratios, what the machine did meanwhile, and the memory and disk that Needletail takes."""
import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.bench import auth_cost, scale  # noqa: E402  (after the path is set)
from tests.harness.cluster import Cluster, SAIO_CONF  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
US = "needletail"
# The least ratio that we promise, by workload and peer; "md5" is one core's MD5 speed.
FLOORS = {
    "put4k": {"swift": 15, "rgw": 3}, "get4k": {"swift": 20, "rgw": 3, "nginx": 0.15},
    "put64k": {"swift": 12}, "get64k": {"swift": 15},
    "listjson": {"swift": 20}, "put1g": {"md5": 0.5}, "get1g": {"nginx": 0.3},
}
MORE = {w: {"swift": None, "rgw": None} for w in
        ("put1m", "get1m", "head", "list", "delete", "mixed", "login")}
MORE["tempurl"] = {"swift": None}
IDLE_CONNECTIONS, OBJECTS = 5000, 100000
# Bounds: of one proxy worker and one objectd in MB, and of disk as a multiple of the bytes.
REST_MB, IDLE_MB, OBJECTD_MB, DISK = 15, 100, 50, 1.25


class Peer:
    """A server that is not ours, by the scripts in peers/NAME."""

    commands = {"swift": "swift-proxy-server", "nginx": "nginx", "rgw": "radosgw"}
    ports = {"swift": 8090, "nginx": 7490, "rgw": 7480}

    def __init__(self, name, folder):
        self.name, self.port = name, self.ports[name]
        self.options = ["--plain", "/f"] if name == "nginx" else []
        self.env = dict(os.environ, PORT=str(self.port), PEER=os.path.join(folder, name))

    @classmethod
    def is_installed(cls, name):
        path = os.environ["PATH"] + ":/usr/sbin"
        return shutil.which(cls.commands[name], path=path) is not None

    def _script(self, name, *args):
        subprocess.run([os.path.join(HERE, "peers", self.name, name), *args], env=self.env,
                       check=True, stdout=subprocess.DEVNULL)

    def start(self):
        self._script("create-from-scratch.sh" if self.name == "rgw" else "start.sh")

    def stop(self):
        self._script("stop.sh", "--wipe")


class Bench:
    def __init__(self, args):
        self.args = args
        self.load_program = os.path.join(os.path.dirname(os.path.abspath(args.bin)), "bench/load")
        self.deadline = time.monotonic() + args.minutes * 60
        self.servers, self.results, self.errors = {}, {}, 0
        self.noise = []
        self.out = open(args.out, "a") if args.out else None

    # Running one workload.

    def load(self, name, workload, *options, label=None):
        """One run of the load generator; its line as a dictionary, or None when it failed."""
        port, extra = self.servers.get(name, (1, []))
        left = max(self.deadline - time.monotonic(), 30)
        command = [self.load_program, "-q", "-p", str(port), "-l", label or name, "-c", "32",
                   "-w", "1", "-d", str(self.args.seconds), *extra, *options, workload]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=left)
        except subprocess.TimeoutExpired:
            return self.fail("%s %s: not done in time" % (name, workload))
        line = done.stdout.strip()
        if not line:
            return self.fail("%s %s: %s" % (name, workload, done.stderr.strip()))
        result = json.loads(line)
        if self.out:
            self.out.write(line + "\n")
        if result["errors"]:
            self.fail("%s %s: %d errors, first: %s" % (name, workload, result["errors"],
                                                     result.get("first_error")))
        return result

    def fail(self, text):
        self.errors += 1
        print("bench: " + text, file=sys.stderr)

    def measure(self, workload, names):
        """A B A B: one run each in turn, as often as asked."""
        for _ in range(self.args.rounds):
            for name in names:
                if time.monotonic() > self.deadline:
                    return self.fail("out of time before %s %s" % (name, workload))
                self.noise.append(busy_part(0.3))
                result = self.load(name, workload)
                if result:
                    self.results.setdefault((workload, name), []).append(result)
                self.progress()

    @staticmethod
    def progress():
        print(".", end="", file=sys.stderr, flush=True)

    # The table.

    def value(self, workload, name):
        """Operations per second, or MB/s for what is measured in bytes; mean over the rounds."""
        field = "mb_s" if workload.endswith("1g") or name == "md5" else "ops_s"
        runs = self.results.get((workload, name), [])
        return sum(r[field] for r in runs) / len(runs) if runs else None

    def ratio(self, workload, name):
        """Geometric mean of the rounds' ratios: each round's two runs stand side by side."""
        if name == "md5":
            ours, md5 = self.value(workload, US), self.value("md5", "md5")
            return ours / md5 if ours and md5 else None
        field = "mb_s" if workload.endswith("1g") else "ops_s"
        pairs = list(zip(self.results.get((workload, US), []),
                         self.results.get((workload, name), [])))
        logs = [math.log(a[field] / b[field]) for a, b in pairs if a[field] and b[field]]
        return math.exp(sum(logs) / len(logs)) if logs else None

    def print_table(self, plan):
        form = "%-9s %-11s %12s %9s %9s %12s %9s %7s  %s"
        print(form % ("workload", "against", "ours", "p50 ms", "p99 ms", "theirs", "ratio",
                      "floor", ""))
        missed = 0
        for workload, peers in plan.items():
            for name, floor in peers.items():
                ratio = self.ratio(workload, name)
                if ratio is None:
                    print(form % (workload, name, "", "", "", "", "", "", "not measured"))
                    continue
                runs = self.results[workload, US]
                theirs = self.value("md5" if name == "md5" else workload, name)
                unit = " MB/s" if workload.endswith("1g") else "/s"
                verdict = "" if floor is None else "ok" if ratio >= floor else "BELOW"
                missed += verdict == "BELOW"
                print(form % (workload, name, "%.0f%s" % (self.value(workload, US), unit),
                              "%.2f" % min(r["p50_ms"] for r in runs),
                              "%.2f" % min(r["p99_ms"] for r in runs),
                              "%.0f%s" % (theirs, unit), "%.2f" % ratio,
                              "" if floor is None else "%g" % floor, verdict))
        return missed


def busy_part(seconds):
    """How much of the machine's processors was busy, 0 to 1, while we did nothing."""
    def read():
        with open("/proc/stat") as f:
            n = [int(x) for x in f.readline().split()[1:9]]
        return sum(n), n[3] + n[4]
    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(total2 - total, 1)


def rss_mb(cluster, program):
    return max((p.status_kib() for p in cluster.processes(program)), default=0) / 1024


def disk_bytes(folder):
    """Bytes that the disk gives for the files below the folder."""
    out = subprocess.run(["du", "-s", "--block-size=1", folder], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return int(out.split()[0])


def memory_rows(bench):
    """Memory at rest, with idle connections, with many objects; disk. (what, value, bound, unit)"""
    with Cluster(conf=SAIO_CONF) as c:
        bench.servers["memory"] = (c.port, [])
        rows = []
        bench.load("memory", "login", "-n", "100")
        rows.append(("proxy worker at rest", rss_mb(c, "needletail-proxy"), REST_MB, "MB"))
        command = [bench.load_program, "-p", str(c.port), "-c", str(IDLE_CONNECTIONS), "-d", "3",
                   "idle"]
        idle = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        idle.stderr.readline()      # "holding …"
        peak = rss_mb(c, "needletail-proxy")
        result = json.loads(idle.communicate()[0] or '{"errors": 1}')
        if result["errors"]:
            bench.fail("idle connections fared badly: %r" % result)
        rows.append(("proxy worker, %d idle connections" % IDLE_CONNECTIONS, peak, IDLE_MB, "MB"))
        before = disk_bytes(c.home)
        put = bench.load("memory", "put4k", "-n", str(OBJECTS))
        if put:
            rows.append(("objectd, %d objects of 4 KiB" % OBJECTS, rss_mb(c, "needletail-objectd"),
                         OBJECTD_MB, "MB"))
            rows.append(("disk of those, three replicas",
                         (disk_bytes(c.home) - before) / (3 * 4096 * OBJECTS), DISK,
                         "x bytes"))
        return rows


def scale_rows(bench):
    """What must not depend on size, as scale.py measures it."""
    try:
        with Cluster(conf=SAIO_CONF) as c:
            return [("%s: %s" % (what, how), value, bound, unit)
                    for what, how, value, bound, unit in scale.measure(c)]
    except Exception as e:      # the rest is still told
        bench.fail("scale: %r" % e)
        return []


def parse_args():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--bin", default=os.environ.get("NEEDLETAIL_BIN", "build/gcc/bin"))
    p.add_argument("--endpoint", help="HOST:PORT of a running Needletail (else one is started)")
    p.add_argument("--peers", default="swift,nginx,rgw", help="of these, those installed")
    p.add_argument("--workloads", help="only these, by comma")
    p.add_argument("--all", action="store_true", help="also those without a promise")
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--minutes", type=float, default=15, help="stop measuring after this")
    p.add_argument("--no-memory", action="store_true")
    p.add_argument("--no-auth", action="store_true")
    p.add_argument("--only-auth", action="store_true", help="what tokens and links cost, no peers")
    p.add_argument("--no-scale", action="store_true")
    p.add_argument("--strict", action="store_true", help="a ratio below its floor is an error")
    p.add_argument("--out", help="append the load generator's JSON lines here")
    return p.parse_args()


def plan_of(args, peers):
    """workload -> {peer: floor} of what can be measured here."""
    table = dict(FLOORS, **MORE) if args.all or args.workloads else FLOORS
    if args.workloads:
        table = {w: table.get(w, {"swift": None}) for w in args.workloads.split(",")}
    known = set(peers) | {"md5"}
    plan = {w: {p: f for p, f in row.items() if p in known} for w, row in table.items()}
    return {w: row for w, row in plan.items() if row}


def start_all(peers, cluster):
    """Peers beside each other; name -> why, of those that could not start."""
    failed = {}

    def start(name, server):
        try:
            server.start()
        except Exception as e:      # whatever it is, the others are stopped and it is told
            failed[name] = e

    threads = [threading.Thread(target=start, args=(p.name, p)) for p in peers]
    for t in threads:
        t.start()
    if cluster:
        # By this thread: the launcher ends with the thread that started it.
        start(US, cluster)
    for t in threads:
        t.join()
    return failed


def main():
    args = parse_args()
    os.environ["NEEDLETAIL_BIN"] = os.path.abspath(args.bin)
    folder = tempfile.mkdtemp(prefix="needletail-bench-")
    wanted = "" if args.only_auth else args.peers
    peers = [Peer(n, folder) for n in wanted.split(",") if n and Peer.is_installed(n)]
    bench = Bench(args)
    plan, rows, missed, cluster = {}, [], 0, None
    quiet = busy_part(1)
    try:
        if not args.no_memory and not args.only_auth and not args.endpoint:
            rows = memory_rows(bench)
        if not args.no_scale and not args.only_auth and not args.endpoint:
            rows += scale_rows(bench)
        if args.endpoint:
            bench.servers[US] = (int(args.endpoint.rpartition(":")[2]), [])
        else:
            cluster = Cluster(conf=SAIO_CONF)
            bench.servers[US] = (cluster.port, [])
        failed = start_all(peers, cluster)
        for name, why in failed.items():
            bench.fail("%s does not start: %s" % (name, why))
        for p in peers:
            bench.servers[p.name] = (p.port, p.options)
        if cluster and not args.no_auth:
            bench.servers["auth"] = bench.servers[US]
            rows += auth_cost.rows(bench, cluster)
        plan = {} if args.only_auth else plan_of(
            args, [p.name for p in peers if p.name not in failed])
        if any("md5" in row for row in plan.values()):
            md5 = bench.load("md5", "md5", "-d", "1")
            bench.results["md5", "md5"] = [md5] if md5 else []
        if US not in failed:
            for workload, row in plan.items():
                bench.measure(workload, [US] + [n for n in row if n != "md5"])
    finally:
        for p in peers:
            try:
                p.stop()
            except subprocess.CalledProcessError as e:
                bench.fail(str(e))
        if cluster:
            cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    print(file=sys.stderr)
    missed = bench.print_table(plan)
    for what, value, bound, unit in rows:
        missed += bound is not None and value > bound
        print("%-50s %8.2f %-8s%s" % (what, value, unit, "" if bound is None else
              "at most %g  %s" % (bound, "ok" if value <= bound else "ABOVE")))
    print("load average %.1f" % os.getloadavg()[0])
    print("%d processors; others kept %.0f %% of them busy before, %.0f %% at most between runs; "
          "%g s a run, %d rounds" % (os.cpu_count(), 100 * quiet, 100 * max(bench.noise + [0]),
                                     args.seconds, args.rounds))
    return 1 if bench.errors or (args.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
