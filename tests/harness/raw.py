"""HTTP/1.1 by hand: send any bytes, read exactly one response."""
import socket


class RawError(Exception):
    """The other side closed or sent something that is not HTTP."""


class RawResponse:
    """status, reason, version as sent; headers is a list of (name, value) strings as sent."""

    def __init__(self, version, status, reason, headers):
        self.version, self.status, self.reason, self.headers = version, status, reason, headers
        self.body, self.trailers = b"", []

    def get(self, name, default=None):
        for k, v in self.headers:
            if k.lower() == name.lower():
                return v
        return default

    def get_all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def __repr__(self):
        return "<%d %s, %d bytes>" % (self.status, self.reason, len(self.body))


class Raw:
    """One connection. Every call gives up with socket.timeout after timeout_s."""

    def __init__(self, host, port, timeout_s=20.0):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def end(self):
        """Half-closes: nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise RawError("closed by the server; unread: %r" % self._left[:200])
        self._left += data

    def _line(self):
        while b"\r\n" not in self._left:
            self._more()
        line, self._left = self._left.split(b"\r\n", 1)
        return line.decode("latin-1")

    def read(self, n):
        """Exactly n bytes."""
        while len(self._left) < n:
            self._more()
        data, self._left = self._left[:n], self._left[n:]
        return data

    def _fields(self):
        fields = []
        while True:
            line = self._line()
            if not line:
                return fields
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise RawError("bad header line %r" % line)
            fields.append((name, value.strip()))

    def head(self):
        """Status line and headers of the next response, interim ones too; the body is unread."""
        parts = self._line().split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/") or len(parts[1]) != 3:
            raise RawError("bad status line %r" % parts)
        reason = parts[2] if len(parts) > 2 else ""
        return RawResponse(parts[0], int(parts[1]), reason, self._fields())

    def response(self, method="GET"):
        """The next final response with its body. method: of the request (HEAD has no body)."""
        res = self.head()
        while res.status < 200:
            res = self.head()
        if method == "HEAD" or res.status in (204, 304):
            return res
        if (res.get("Transfer-Encoding") or "").lower() == "chunked":
            res.body = b"".join(self._chunks(res))
        elif res.get("Content-Length") is not None:
            res.body = self.read(int(res.get("Content-Length")))
        else:
            res.body = self.rest()
        return res

    def _chunks(self, res):
        while True:
            size = int(self._line().split(";")[0], 16)
            if size == 0:
                res.trailers = self._fields()
                return
            yield self.read(size)
            if self.read(2) != b"\r\n":
                raise RawError("chunk does not end where it said")

    def rest(self):
        """Everything until the server closes."""
        try:
            while True:
                self._more()
        except (RawError, ConnectionResetError):
            data, self._left = self._left, b""
            return data

    def is_closed(self, within_s=5.0):
        """Whether the server closes the connection in time, without sending anything more."""
        if self._left:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(within_s)
        try:
            data = self.socket.recv(65536)
            self._left += data
            return not data
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(before)


def exchange(host, port, data, method="GET", timeout_s=20.0):
    """Sends the bytes on a connection of their own and returns the response."""
    with Raw(host, port, timeout_s) as raw:
        raw.send(data)
        return raw.response(method)
