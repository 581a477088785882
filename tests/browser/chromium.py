"""Chromium, driven by run.js, and a small web server that is another origin than the store."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
END_S = 20


class ChromiumError(Exception):
    """It does not start, or a scenario failed; says what it said."""


class Chromium:
    """One browser for many scenarios (scenarios.js)."""

    def __init__(self):
        for what, there in (("chromium", shutil.which("chromium")), ("node", shutil.which("node")),
                            ("playwright-core", os.path.isdir(
                                os.path.join(HERE, "node_modules/playwright-core")))):
            if not there:
                raise ChromiumError("%s is not installed: tests/tools/deps.sh check" % what)
        self.home = tempfile.mkdtemp(prefix="needletail-browser-")
        self.log = open(os.path.join(self.home, "log"), "w+")
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "run.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True,
            env=dict(os.environ, HOME=self.home, CHROMIUM=shutil.which("chromium")))
        self.version = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it ended"}
        if "error" in answer:
            self.log.seek(0)
            raise ChromiumError("%s\n%s" % (answer["error"], self.log.read()))
        return answer["result"]

    def run(self, scenario, **arg):
        self.process.stdin.write(json.dumps({"scenario": scenario, "arg": arg}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


class Origin:
    """A web server whose pages are set by page(): http://127.0.0.1:PORT is one origin,
    http://localhost:PORT another."""

    def __init__(self):
        pages = self.pages = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page = pages.get(urllib.parse.urlsplit(self.path).path)
                body = (page or "not here").encode()
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path, host="127.0.0.1"):
        return "http://%s:%d%s" % (host, self.server.server_port, path)

    def page(self, path, body):
        """Sets a page; its URL."""
        self.pages[path] = "<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body>" \
            "</html>" % (path, body)
        return self.url(path)

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
