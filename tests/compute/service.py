"""The image service as a client: requests with a token, and the configuration that starts it."""
import json
import os

from tests.harness.client import Client
from tests.harness.cluster import SAIO_CONF

HERE = os.path.dirname(os.path.abspath(__file__))
# name in tests -> (user, password, project)
USERS = {
    "one": ("one", "secret", "one"),
    "two": ("two", "secret", "two"),
    "reader": ("looker", "secret", "one"),
    "admin": ("admin", "admin", "admin"),
}
PATCH = "application/openstack-images-v2.1-json-patch"
PATCH_OLD = "application/openstack-images-v2.0-json-patch"


def conf_text(compute="", image="", server=""):
    """saio.conf with compute.conf, and more lines for its sections."""
    text = ""
    for path in (SAIO_CONF, os.path.join(HERE, "compute.conf")):
        with open(path, encoding="utf-8") as f:
            text += f.read() + "\n"
    return (text.replace("@compute@", compute).replace("@image@", image)
            .replace("@server@", server))


def token(host, port, user):
    """A token of Keystone's v3 API for one of USERS."""
    name, password, project = USERS[user]
    client = Client(host, port)
    body = {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": name, "password": password, "domain": {"name": "Default"}}}},
        "scope": {"project": {"name": project, "domain": {"name": "Default"}}}}}
    res = client.post("/v3/auth/tokens", json.dumps(body),
                      headers={"Content-Type": "application/json"})
    client.close()
    assert res.status == 201, res
    return res.headers["X-Subject-Token"], res.json["token"]


class Service(Client):
    """A client of one service's port; relative paths are below /v2."""

    def __init__(self, host, port, **kw):
        super().__init__(host, port, **kw)
        self.account = "/v2"
        self.project = None

    def login(self, cluster, user):  # pylint: disable=arguments-differ
        self.token, doc = token(cluster.host, cluster.port, user)
        self.project = doc["project"]["id"]

    def send(self, method, path, doc=None, headers=None, **kw):
        """With a JSON body."""
        body = None if doc is None else json.dumps(doc)
        return self.request(method, path, body, headers=dict(
            {"Content-Type": "application/json", "Accept": "application/json"}, **(headers or {})),
            **kw)

    def create(self, status=201, **fields):
        res = self.send("POST", "images", fields)
        assert res.status == status, res
        return res.json

    def show(self, image, status=200):
        res = self.get("images/" + image)
        assert res.status == status, res
        return res.json if status == 200 else None

    def patch(self, image, *steps, status=200, kind=PATCH):
        res = self.send("PATCH", "images/" + image, list(steps), headers={"Content-Type": kind})
        assert res.status == status, res
        return res.json

    def upload(self, image, data, status=204, **kw):
        headers = dict({"Content-Type": "application/octet-stream"}, **kw.pop("headers", {}))
        res = self.put("images/%s/file" % image, data, headers=headers, **kw)
        assert res.status == status, res
        return res

    def names(self, **query):
        """The names of all pages of a listing."""
        names, path = [], self.path("images", query)
        while path:
            res = self.get(path)
            assert res.status == 200, res
            names += [i["name"] for i in res.json["images"]]
            path = res.json.get("next")
        return names

    def clean(self):
        """Deletes the project's images."""
        if not self.token:
            return
        for hidden in ("false", "true"):
            while True:
                images = self.get("images", query={"owner": self.project, "limit": "1000",
                                                   "os_hidden": hidden}).json["images"]
                if not images:
                    break
                for image in images:
                    if image["protected"]:
                        self.patch(image["id"], {"op": "replace", "path": "/protected",
                                                 "value": False})
                    assert self.delete("images/" + image["id"]).status in (204, 404)
