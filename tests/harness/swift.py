"""Facts that every test of a Swift-like store uses: users, timestamps, quoting, ETags."""
import hashlib
import re
import time
import urllib.parse

# name of the user in tests -> (v1 auth user, key, account); as in docs/operate/saio.conf
USERS = {
    "tester": ("test:tester", "testing", "AUTH_test"),
    "tester2": ("test:tester2", "testing2", "AUTH_test"),
    "tester3": ("test:tester3", "testing3", "AUTH_test"),
    "other": ("test2:tester2", "testing2", "AUTH_test2"),
    "service": ("test5:tester5", "testing5", "AUTH_test5"),
    "admin": ("admin:admin", "admin", "AUTH_admin"),
}


def timestamp(offset_s=0.0):
    """Now (plus offset) as Swift writes X-Timestamp: 10 digits, a point, 5 digits."""
    return "%016.5f" % (time.time() + offset_s)


def is_timestamp(text):
    return re.fullmatch(r"\d{10}\.\d{5}(_[0-9a-f]{16})?", text or "") is not None


def quote(*parts):
    """Path components, percent-encoded, joined by slashes; a slash inside one stands."""
    return "/".join(urllib.parse.quote(p, safe="/") for p in parts)


def md5(data):
    return hashlib.md5(data).hexdigest()
