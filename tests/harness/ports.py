"""Free loopback ports: blocks of 20, each held by a lock so that parallel runs do not collide."""
import fcntl
import os
import random
import socket
import tempfile

FIRST, LAST, BLOCK = 20000, 31980, 20


def _is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortBlock:
    """BLOCK ports beginning with .first; release() gives them back."""

    def __init__(self):
        folder = os.path.join(tempfile.gettempdir(), "needletail-ports-%d" % os.getuid())
        os.makedirs(folder, exist_ok=True)
        bases = list(range(FIRST, LAST, BLOCK))
        random.shuffle(bases)
        for base in bases:
            lock = open(os.path.join(folder, str(base)), "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            if all(_is_free(base + i) for i in range(BLOCK)):
                self.first, self._lock = base, lock
                return
            lock.close()
        raise RuntimeError("no %d free ports in a row between %d and %d" % (BLOCK, FIRST, LAST))

    def release(self):
        self._lock.close()
