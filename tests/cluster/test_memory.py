"""What a request that does not get on costs the proxy: less than 64 KiB, whatever it is about."""
import os

import pytest

from tests.harness import stalled

REQUESTS, KIB_EACH = 400, 64
# Like others; tests/bench/scale.py measures them too.
LEFT_OUT = {"GET of a range", "GET by a temporary URL", "XML listing",
            "PUT, 100 KiB of 1,024 MiB sent", "chunked PUT, 10 KiB sent", "bulk delete"}
KINDS = [k for k in stalled.kinds() if k.name not in LEFT_OUT]
# What takes more, and why: docs/performance.md, "Memory of a request".
LARGER = {"bulk delete, servers stopped": 96}


def is_sanitized():
    with open(os.path.join(os.environ.get("NEEDLETAIL_BIN", "build/gcc/bin"),
                           "needletail-proxy"), "rb") as f:
        return b"AddressSanitizer" in f.read()


@pytest.mark.limit_s(400)
@pytest.mark.skipif(is_sanitized(), reason="memory of sanitized programs means nothing")
def test_memory_of_requests(make_cluster):
    """In one cluster, one kind after another; the proxy starts anew for each, since memory that was
    used once stays with it."""
    cluster = make_cluster()
    stalled.prepare(cluster)
    too_much = []
    for kind in KINDS:
        cluster.kill_all()      # whoever ends in peace waits for what was held
        cluster.start()
        each = stalled.kib_each(cluster, kind, REQUESTS)
        print("%-36s %6.1f KiB" % (kind.name, each))
        if each >= LARGER.get(kind.name, KIB_EACH):
            too_much.append("%s: %.1f KiB" % (kind.name, each))
    assert not too_much
