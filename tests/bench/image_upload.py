#!/usr/bin/python3
"""What it costs to upload an image, against uploading the same bytes to the object store: rounds of
both in turn; prints the medians and their ratio. image_upload.py [MIB] [ROUNDS]"""
import http.client
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.compute.service import Service, conf_text  # noqa: E402  (after the path is set)
from tests.harness.cluster import Cluster  # noqa: E402

BLOCK = os.urandom(1 << 20)


def put(port, path, token, mib):
    """Seconds."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.monotonic()
    c.putrequest("PUT", path)
    for name, value in (("X-Auth-Token", token), ("Content-Length", str(mib << 20)),
                        ("Content-Type", "application/octet-stream")):
        c.putheader(name, value)
    c.endheaders()
    for _ in range(mib):
        c.sock.sendall(BLOCK)
    res = c.getresponse()
    res.read()
    assert res.status in (201, 204), res.status
    return time.monotonic() - began


def main():
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(conf_text())
        conf.flush()
        with Cluster(conf=conf.name) as cluster:
            one = Service(cluster.host, cluster.port + 10)
            one.login(cluster, "one")
            store = cluster.client("tester")
            assert store.put("bench").status == 201
            images, objects = [], []
            for _ in range(rounds):
                image = one.create(disk_format="raw", container_format="bare")["id"]
                images.append(put(one.port, "/v2/images/%s/file" % image, one.token, mib))
                assert one.delete("images/" + image).status == 204
                objects.append(put(store.port, store.path("bench/o"), store.token, mib))
                assert store.delete("bench/o").status == 204
                print("image %.2f s, object %.2f s" % (images[-1], objects[-1]), flush=True)
            a, b = statistics.median(images), statistics.median(objects)
            worker = cluster.processes("needletail-compute: ")[0]
            print("%d MiB: image %.2f s, object %.2f s, ratio %.2f; needletail-compute's memory at "
                  "most %d KiB" % (mib, a, b, a / b, worker.status_kib("VmHWM")))


if __name__ == "__main__":
    main()
