"""logsink.py SOCKET FILE: stands in for syslog; datagrams of the socket become lines of it."""
import os
import socket
import sys

path, out = sys.argv[1:3]
if os.path.exists(path):
    os.unlink(path)
sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sink.bind(path)
os.chmod(path, 0o666)
with open(out, "ab", buffering=0) as lines:
    while True:
        lines.write(sink.recv(65536).rstrip(b"\0\n") + b"\n")
