"""The account server over sockets, against Debian's where that is installed."""
import random
from urllib.parse import quote, urlencode

import pytest

from tests.cluster.database_servers import Pair, at, available


@pytest.fixture(scope="module")
def pair():
    if not available():
        pytest.skip("Debian's Swift is not installed")
    with Pair() as p:
        yield p


def counts(put, delete=0, objects=0, size=0, **more):
    headers = {"X-Put-Timestamp": at(put),
               "X-Delete-Timestamp": at(delete) if delete else "0000000000.00000",
               "X-Object-Count": str(objects), "X-Bytes-Used": str(size)}
    headers.update({k.replace("_", "-"): v for k, v in more.items()})
    return headers


def test_life(pair):
    a = "/AUTH_life"
    for method in ("HEAD", "GET"):
        pair.account(method, a)
    pair.account("POST", a, {"X-Timestamp": at(1)})
    pair.account("DELETE", a, {"X-Timestamp": at(1)})
    pair.account("PUT", a + "/c", counts(1))
    pair.account("PUT", a)
    pair.account("PUT", a, {"X-Timestamp": at(2), "X-Account-Meta-Who": "me",
                            "X-Account-Sysmeta-S": "t", "X-Account-Meta-": "nameless",
                            "X-Other": "no"})
    pair.account("HEAD", a)
    pair.account("GET", a)
    pair.account("PUT", a, {"X-Timestamp": at(3), "X-Account-Meta-Who": "you"})
    pair.account("POST", a, {"X-Timestamp": at(1), "X-Account-Meta-Who": "late"})
    pair.account("HEAD", a)
    pair.account("POST", a, {"X-Timestamp": at(4), "X-Account-Meta-Who": ""})
    pair.account("HEAD", a, query="format=json")
    pair.account("POST", a, {"X-Timestamp": at(5), "X-Account-Meta-L": "x" * 4097})
    pair.account("DELETE", a, {"X-Timestamp": at(6)})
    for method in ("HEAD", "GET"):
        pair.account(method, a)
    pair.account("DELETE", a, {"X-Timestamp": at(7)})
    pair.account("POST", a, {"X-Timestamp": at(7)})
    pair.account("PUT", a, {"X-Timestamp": at(8)})
    pair.account("PUT", a + "/c", counts(8))
    pair.account("PUT", a + "/c", counts(8, X_Account_Override_Deleted="yes"))


def test_containers(pair):
    a = "/AUTH_rows"
    pair.account("PUT", a, {"X-Timestamp": at(1)})
    pair.account("PUT", a + "/one", counts(2, objects=3, size=30))
    silver = {"X_Backend_Storage_Policy_Index": "1"}
    pair.account("PUT", a + "/two", counts(2, objects=4, size=50, **silver))
    pair.account("GET", a)
    pair.account("HEAD", a)
    pair.account("PUT", a + "/one", counts(1, objects=5, size=55))
    pair.account("GET", a, query="format=json")
    pair.account("PUT", a + "/two", counts(2, delete=9, **silver))
    for query in ("", "format=json", "format=xml"):
        pair.account("GET", a, query=query)
    # Deleted, it is said, but not empty: it stays.
    pair.account("PUT", a + "/one", counts(1, delete=9, objects=1, size=5))
    pair.account("GET", a, query="format=json")
    pair.account("PUT", "/.hidden/c", counts(1, X_Timestamp=at(1)))
    pair.account("GET", "/.hidden")


def test_formats(pair):
    a = "/AUTH_f"
    pair.account("PUT", a, {"X-Timestamp": at(1)})
    for query in ("", "format=json", "format=xml"):
        pair.account("GET", a, query=query)
    for name in ("a&<>\"", "t\tab", "\u00e9\U0001f600", "x-1", "x-2"):
        pair.account("PUT", a + "/" + quote(name), counts(2))
    for query in ("format=xml&delimiter=-", "format=json&delimiter=-", "format=plain",
                  "format=other", "limit=0", "limit=3", "limit=10001", "limit=x", "marker=%ff",
                  "delimiter=-&reverse=1&format=xml"):
        pair.account("GET", a, query=query)
    for accept in ("application/json", "text/xml", "*/*", "image/png", "bad", "text/*;q=0.1, a/b"):
        pair.account("GET", a, {"Accept": accept})


def random_text(rnd, most):
    return "".join(rnd.choice("ab--\u00e9\"c") for _ in range(rnd.randint(0, most)))


def test_random_listings(pair):
    rnd = random.Random(11)
    a = "/AUTH_rnd"
    pair.account("PUT", a, {"X-Timestamp": at(1)})
    for name in sorted({random_text(rnd, 5) or "x" for _ in range(60)}):
        gone = rnd.random() < 0.2
        pair.account("PUT", a + "/" + quote(name), counts(2, delete=3 if gone else 0,
                                                          objects=0 if gone else len(name)))
    for _ in range(120):
        q = {"format": rnd.choice(["json", "xml", "plain"])}
        for key, most in (("prefix", 2), ("delimiter", 1), ("marker", 3), ("end_marker", 3)):
            if rnd.random() < 0.5:
                q[key] = random_text(rnd, most)
        if rnd.random() < 0.3:
            q["reverse"] = "on"
        if rnd.random() < 0.4:
            q["limit"] = str(rnd.randint(0, 12))
        pair.account("GET", a, query=urlencode(q))
