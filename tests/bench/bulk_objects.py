"""Fills storage devices with many small objects by the replicators' own request, which takes 512 of
them at once (objectd/replicator/bulk_wire.c)."""
import hashlib
import struct
import time

from tests.harness.client import Client

OBJECTS = 512
TABLE = []


def _make_table():
    for i in range(256):
        c = i
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
        TABLE.append(c)


def crc32c(data, crc=0):
    """Slow; the bytes that vary are few, see Filler."""
    if not TABLE:
        _make_table()
    crc ^= 0xffffffff
    for b in data:
        crc = TABLE[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def _text(b):
    return struct.pack("<I", len(b)) + b


class Combine:
    """The CRC of head + fixed tail from the CRC of the head: appending n known bytes is linear."""

    def __init__(self, tail):
        self.zero = crc32c(tail)
        self.columns = [crc32c(tail, 1 << i) ^ self.zero for i in range(32)]

    def __call__(self, head_crc):
        crc, i = self.zero, 0
        while head_crc:
            if head_crc & 1:
                crc ^= self.columns[i]
            head_crc >>= 1
            i += 1
        return crc


class Filler:
    def __init__(self, node, size):
        self.node, self.data = node, bytes(i * 7 & 255 for i in range(size))
        self.ticks = int(time.time() * 100000) - 10000000
        etag = hashlib.md5(self.data).hexdigest().encode()
        self.tail = struct.pack("<I", 2) + _text(b"Content-Type") + _text(b"a/b") + \
            _text(b"ETag") + _text(etag) + _text(self.data)
        self.combine = Combine(self.tail)

    def item(self, name):
        head = b"D" + struct.pack("<IQQQQ", 0, self.ticks, 0, self.ticks, 0) + _text(name)
        body = head + self.tail
        return struct.pack("<II", len(body), self.combine(crc32c(head))) + body

    def fill(self, count):
        """Every device gets every object: three devices, three replicas."""
        clients = [Client("127.0.0.1", port) for port in self.node.ports]
        for first in range(0, count, OBJECTS):
            body = b"".join(self.item(b"/a/c/object-%08d" % i)
                            for i in range(first, min(first + OBJECTS, count)))
            for client, name in zip(clients, self.node.names):
                res = client.request("POST", "/%s/0/.needletail/objects" % name, body=body)
                assert res.status == 200 and set(res.body) == {48}, res
        for client in clients:
            client.close()
