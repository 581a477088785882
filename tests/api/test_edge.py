"""The middlewares at the edge: health, policy file, forbidden names, read-only, quoted ETags,
remapped domains, rate limits, listing formats, and switching them on and off."""
import threading
import time

import pytest

from tests.harness.cluster import SAIO_CONF


@pytest.fixture(scope="module")
def conf_with(tmp_path_factory):
    """conf_with("[section]\\nkey = value\\n…"): a configuration file with these lines besides."""
    def make(text, proxy=""):
        path = tmp_path_factory.mktemp("conf") / "edge.conf"
        with open(SAIO_CONF) as f:
            conf = f.read().replace("[proxy]", "[proxy]\n" + proxy, 1)
        path.write_text(conf + "\n" + text)
        return str(path)
    return make


def test_healthcheck(anonymous):
    res = anonymous.get("/healthcheck")
    assert (res.status, res.body) == (200, b"OK")
    assert res.headers["Content-Type"].startswith("text/plain")


def test_healthcheck_disabled_by_file(make_cluster, conf_with, tmp_path):
    flag = tmp_path / "off"
    cluster = make_cluster(conf=conf_with("[healthcheck]\ndisable_path = %s\n" % flag))
    c = cluster.client(None)
    assert c.get("/healthcheck").status == 200
    flag.write_text("")
    res = c.get("/healthcheck")
    assert (res.status, res.body) == (503, b"DISABLED BY FILE")
    c.close()


def test_crossdomain(anonymous):
    res = anonymous.get("/crossdomain.xml")
    assert res.status == 200 and res.headers["Content-Type"].startswith("application/xml")
    assert b'<allow-access-from domain="*" secure="false" />' in res.body


def test_transaction_ids(client):
    res = client.head("", headers={"X-Trans-Id-Extra": "e" * 40})
    trans_id = res.headers["X-Trans-Id"]
    assert trans_id == res.headers["X-Openstack-Request-Id"]
    head, stamp, extra = trans_id.split("-", 2)
    assert head.startswith("tx") and len(head) == 23 and len(stamp) == 10 and extra == "e" * 32
    assert abs(int(stamp, 16) - time.time()) < 100


@pytest.mark.parametrize("accept,fmt,status,kind", [
    (None, None, 200, "text/plain"), ("*/*", None, 200, "text/plain"),
    ("application/json", None, 200, "application/json"), ("text/xml", None, 200, "text/xml"),
    ("application/xml;q=0.5, application/json;q=0.4", None, 200, "application/xml"),
    ("image/png", None, 406, None), ("nonsense", None, 400, None),
    ("image/png", "json", 200, "application/json"), (None, "xml", 200, "application/xml"),
    (None, "other", 200, "text/plain"),
])
def test_listing_formats(client, container, accept, fmt, status, kind):
    assert client.put(container + "/o", body=b"x").status == 201
    res = client.get(container, headers={"Accept": accept} if accept else {},
                     query={"format": fmt} if fmt else None)
    assert res.status == status
    if kind:
        assert res.headers["Content-Type"] == kind + "; charset=utf-8"
        assert ("Vary" in res.headers) == (fmt is None)


def test_domain_remap(cluster, client, container):
    assert client.put(container + "/o", body=b"remapped").status == 201
    for host, path in (("%s.AUTH_test.example.com" % container, "/o"),
                       ("%s.auth-test.example.com:80" % container, "/o"),
                       ("AUTH_test.example.com", "/%s/o" % container)):
        res = client.request("GET", path, headers={"Host": host})
        assert (res.status, res.body) == (200, b"remapped"), host
    res = client.request("GET", "/o", headers={"Host": "a.b.c.example.com"})
    assert res.status == 400


def test_domain_remap_in_redirects(client, anonymous, container):
    """A redirect stays on the host that was asked, with the path as it was asked."""
    assert client.post(container, headers={"X-Container-Read": ".r:*,.rlistings",
                                           "X-Container-Meta-Web-Listings": "on"}).status == 204
    assert client.put(container + "/sub%20dir/x", body=b"x").status == 201
    host = container + ".auth-test.example.com"
    res = anonymous.get("/sub%20dir", headers={"Host": host})
    assert res.status == 301
    assert res.headers["Location"] == "http://%s/sub%%20dir/" % host
    assert anonymous.get("/sub%20dir/", headers={"Host": host}).status == 200
    res = anonymous.get("/v1/AUTH_test/%s/sub%%20dir" % container)
    assert res.headers["Location"].endswith("/v1/AUTH_test/%s/sub%%20dir/" % container)


def test_name_check(make_cluster, conf_with):
    cluster = make_cluster(conf=conf_with("[name_check]\nmaximum_length = 40\n",
                                          proxy="enable = name_check\n"))
    c = cluster.client("tester")
    assert c.put("good").status == 201
    assert c.put("good/o", body=b"").status == 201
    for bad in ("good/a%22b", "good/%3Cscript%3E", "good/../x", "good/" + "x" * 40):
        res = c.put(bad, body=b"")
        assert res.status == 400 and b"name" in res.body, bad
    assert "name_check" in c.get("/info").json
    c.close()


def test_read_only(make_cluster, conf_with):
    cluster = make_cluster(conf=conf_with("[read_only]\nread_only = yes\nallow_deletes = yes\n",
                                          proxy="enable = read_only\n"))
    c = cluster.client("tester")
    assert c.get("").status in (200, 204)
    assert c.put("c").status == 405
    assert c.post("", headers={"X-Account-Meta-A": "b"}).status == 405
    assert c.delete("c").status == 404
    c.close()


def test_etag_quoter(make_cluster, conf_with):
    cluster = make_cluster(conf=conf_with("", proxy="enable = etag_quoter\n"))
    c = cluster.client("tester")
    etag = "9dd4e461268c8034f5c8564e155c67a6"
    assert c.put("plain").status == 201
    assert c.put("quoted", headers={"X-Container-Rfc-Compliant-Etags": "true"}).status == 201
    for name in ("plain", "quoted"):
        assert c.put(name + "/o", body=b"x").status == 201
    assert c.get("plain/o").headers["Etag"] == etag
    assert c.get("quoted/o").headers["Etag"] == '"%s"' % etag
    assert c.head("quoted").headers["X-Container-Rfc-Compliant-Etags"] == "True"
    assert c.get("quoted/o", headers={"If-None-Match": '"%s"' % etag}).status == 304
    assert c.get("/info").json["etag_quoter"] == {"enable_by_default": False}
    c.close()


def test_rate_limit(make_cluster, conf_with):
    cluster = make_cluster(conf=conf_with(
        "[ratelimit]\naccount_ratelimit = 4\nmax_sleep_time = 1s\nrate_buffer = 0s\n"
        "account_blacklist = AUTH_test2\n", proxy="enable = ratelimit\n"))
    c = cluster.client("tester")
    statuses = []
    threads = []

    def put(i):
        mine = cluster.client("tester")
        statuses.append(mine.put("limited%d" % i).status)
        mine.close()

    for i in range(16):
        threads.append(threading.Thread(target=put, args=(i,)))
        threads[-1].start()
    for t in threads:
        t.join()
    assert 498 in statuses and 201 in statuses, statuses
    assert c.put("limited0/o", body=b"x").status in (201, 404)
    other = cluster.client("other")
    assert other.get("").status == 497
    other.close()
    c.close()


def test_disable(make_cluster, conf_with):
    cluster = make_cluster(conf=conf_with("", proxy="disable = crossdomain copy\n"))
    c = cluster.client("tester")
    assert c.get("/crossdomain.xml").status == 412
    assert "crossdomain" not in c.get("/info").json
    c.close()


def test_metrics_count(cluster, client, container):
    def puts():
        text = client.get("/metrics").text
        return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("needletail_proxy_requests_total{") and
                   'method="PUT"' in line)

    before = puts()
    for i in range(5):
        assert client.put("%s/o%d" % (container, i), body=b"x").status == 201
    cluster.wait_for(lambda: puts() >= before + 5, 5)
