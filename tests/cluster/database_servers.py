"""Account and container servers side by side: ours and Debian's get the same requests, and what
they answer has to be the same."""
import re

from tests.cluster.objectd_node import Objectd, SwiftServers

# What must agree whenever Debian's server sends it. Creation times differ: Swift takes the server's
# clock, we take the request's timestamp, so that replicas agree.
HEADERS = ["Content-Type", "Last-Modified", "X-Put-Timestamp", "X-Container-Object-Count",
           "X-Container-Bytes-Used", "X-Backend-Put-Timestamp", "X-Backend-Delete-Timestamp",
           "X-Backend-Status-Changed-At", "X-Backend-Storage-Policy-Index", "X-Backend-Record-Type",
           "X-Backend-Record-Storage-Policy-Index", "X-Backend-Sharding-State", "X-Account-Status",
           "X-Account-Container-Count", "X-Account-Object-Count", "X-Account-Bytes-Used"]
PREFIXES = ("x-container-meta-", "x-container-sysmeta-", "x-account-meta-", "x-account-sysmeta-",
            "x-account-storage-policy-", "x-container-read", "x-container-write",
            "x-container-sync-")


def available():
    try:
        import swift.container.server  # noqa: F401
        return True
    except ImportError:
        return False


def at(n):
    """A fixed moment, n hundred-thousandths of a second later."""
    return "1700000000.%05d" % n


class Pair:
    """One device of each kind."""

    def __init__(self):
        self.ours, self.theirs = Objectd(1, replicas=1), SwiftServers()
        self.count = 0

    def __enter__(self):
        self.ours.start()
        self.theirs.start()
        return self

    def __exit__(self, *_):
        self.theirs.destroy()
        self.ours.destroy()

    def ask(self, kind, method, path, headers=None, body=b"", query=""):
        """path: "/a", "/a/c" or "/a/c/o", quoted. Both answers, after comparing them."""
        fields = {"X-Timestamp": None, "X-Backend-Storage-Policy-Index": None, "Content-Type": None}
        fields.update(headers or {})
        raw = "/d1/1" + path + ("?" + query if query else "")
        port = self.theirs.account_port if kind == "account" else self.theirs.container_port
        a = self.ours.device().request(method, "", fields, body, raw_path=raw)
        b = self.theirs.device().request(method, "", fields, body, raw_path=raw, port=port)
        compare("%s %s %s" % (method, raw, headers or {}), a, b)
        return a, b

    def container(self, *args, **kw):
        return self.ask("container", *args, **kw)

    def account(self, *args, **kw):
        return self.ask("account", *args, **kw)

    def name(self):
        self.count += 1
        return "/AUTH_p/c%d" % self.count


def interesting(res):
    found = {}
    for name, value in res.headers:
        if name.lower() in [h.lower() for h in HEADERS] or name.lower().startswith(PREFIXES):
            found[name.lower()] = value
    return found


def compare(what, ours, theirs):
    assert ours.status == theirs.status, "%s: %d, Swift's says %d (%r, %r)" % (
        what, ours.status, theirs.status, ours.body[:200], theirs.body[:200])
    if ours.status in (200, 204) and what.split()[0] in ("GET", "HEAD"):
        mine, swifts = interesting(ours), interesting(theirs)
        assert mine == swifts, "%s\n%s\n%s" % (what, mine, swifts)
    if ours.status == 200:
        body = ours.body
        if b"storage_policy" not in theirs.body:        # newer Swifts tell it
            body = re.sub(rb', "storage_policy": "[^"]*"|<storage_policy>[^<]*</storage_policy>',
                          b"", body)
        assert body == theirs.body, what + "".join("\n" + repr(b) for b in (body, theirs.body))
