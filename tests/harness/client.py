"""A plain HTTP client for tests: keeps the case of header names, follows no redirects."""
import http.client
import json as json_module
import urllib.parse

from tests.harness import swift


class Headers(list):
    """(name, value) pairs as sent; lookups ignore case."""

    def get(self, name, default=None):
        for k, v in self:
            if k.lower() == name.lower():
                return v
        return default

    def get_all(self, name):
        return [v for k, v in self if k.lower() == name.lower()]

    def __contains__(self, name):
        return self.get(name) is not None

    def __getitem__(self, name):
        if isinstance(name, (int, slice)):
            return list.__getitem__(self, name)
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value


class Response:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json_module.loads(self.body)

    @property
    def lines(self):
        return self.text.splitlines()

    def __repr__(self):
        return "<%d %s %r>" % (self.status, self.reason, self.body[:200])


class Client:
    """One user of one cluster, on one keep-alive connection (opened again when it was closed).

    Paths that begin with a slash are sent as they are (encode them with swift.quote); others are
    relative to the user's account. None or "" as path is the account itself."""

    def __init__(self, host, port, user=None, timeout_s=60.0):
        self.host, self.port, self.timeout_s = host, port, timeout_s
        self.token, self.account = None, None
        self._connection = None
        if user:
            self.login(*swift.USERS[user][:2])

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def login(self, user, key):
        res = self.request("GET", "/auth/v1.0", headers={"X-Auth-User": user, "X-Auth-Key": key})
        if res.status not in (200, 204):
            raise AssertionError("login as %s: %r" % (user, res))
        self.token = res.headers["X-Auth-Token"]
        self.account = urllib.parse.urlsplit(res.headers["X-Storage-Url"]).path
        return res

    def path(self, path, query=None):
        if not (path or "").startswith("/"):
            path = self.account + ("/" + path if path else "")
        if query:
            path += "?" + (query if isinstance(query, str) else urllib.parse.urlencode(query))
        return path

    def request(self, method, path, body=None, headers=None, query=None, token=True):
        """body: bytes, str or an iterable of bytes (sent chunked). token: True for the user's own,
        None for none, or the one to send."""
        headers = dict(headers or {})
        if token is True:
            token = self.token
        if token and not any(k.lower() == "x-auth-token" for k in headers):
            headers["X-Auth-Token"] = token
        if isinstance(body, str):
            body = body.encode()
        names = {k.lower() for k in headers}
        chunked = body is not None and not isinstance(body, bytes)
        if body is None and method in ("PUT", "POST") and not names & {
                "content-length", "transfer-encoding"}:
            headers["Content-Length"] = "0"
        if chunked and "content-length" not in names:
            headers["Transfer-Encoding"] = "chunked"
        again = self._connection is not None
        try:
            return self._send(method, self.path(path, query), body, headers, chunked)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if not again or chunked:
                raise
            return self._send(method, self.path(path, query), body, headers, chunked)

    def _send(self, method, path, body, headers, chunked):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port,
                                                          timeout=self.timeout_s)
        try:
            self._connection.request(method, path, body=body, headers=headers,
                                     encode_chunked=chunked and "Transfer-Encoding" in headers)
            res = self._connection.getresponse()
            return Response(res.status, res.reason, Headers(res.getheaders()), res.read())
        except BaseException:
            self.close()
            raise

    def get(self, path="", **kw):
        return self.request("GET", path, **kw)

    def head(self, path="", **kw):
        return self.request("HEAD", path, **kw)

    def put(self, path="", body=None, **kw):
        return self.request("PUT", path, body=body, **kw)

    def post(self, path="", body=None, **kw):
        return self.request("POST", path, body=body, **kw)

    def delete(self, path="", **kw):
        return self.request("DELETE", path, **kw)

    def copy(self, path, destination, headers=None, **kw):
        return self.request("COPY", path, headers=dict(headers or {}, Destination=destination),
                            **kw)

    def list(self, container="", **query):
        """The names of a listing (subdirs as they are), all pages."""
        names = []
        while True:
            page = dict(query, format="json", **({"marker": names[-1]} if names else {}))
            res = self.get(swift.quote(container), query=page)
            if res.status != 200:
                raise AssertionError("listing %r: %r" % (container, res))
            rows = [r.get("name") or r["subdir"] for r in res.json]
            names += rows
            if not rows or "limit" in query:
                return names

    def empty(self, container):
        """Deletes a container and all in it; a missing one is fine."""
        while True:
            res = self.get(swift.quote(container), query={"format": "json"})
            if res.status == 404:
                return
            for row in res.json:
                status = self.delete(swift.quote(container, row["name"])).status
                if status not in (204, 404):
                    raise AssertionError("deleting %r: %d" % (row["name"], status))
            if not res.json:
                break
        self.delete(swift.quote(container))
