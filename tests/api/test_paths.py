"""Which raw paths name what: docs/swift/paths.md."""
import pytest

ACCOUNT = "/v1/AUTH_test"


@pytest.mark.parametrize("path, status", [
    ("//", 404), ("/v1//c", 404), ("/v1//c/o", 404), ("/v1/AUTH_test//o", 404), ("/v1///o", 404),
    ("/v1", 412), ("/v1/", 412),
    ("/v2/AUTH_test", 400), ("/v1.1/AUTH_test", 400),
    (ACCOUNT + "/c/%ff", 412), (ACCOUNT + "/c/%00", 412), (ACCOUNT + "/c/%ed%a0%80", 412),
])
def test_paths_that_name_nothing(client, path, status):
    assert client.get(path).status == status


def test_version_1_0(client):
    assert client.get("/v1.0/AUTH_test").status in (200, 204)


@pytest.mark.parametrize("name", [
    "plain", "a/b", "a//b", "/lead", "trail/", "..", "a/../b", ".", "with%20space", "%25", "q%3Fq",
    "%C3%BC", "new%0Aline", "semi;colon", "a+b", "%zz", "~", "%2F%2F",
])
def test_objects_keep_their_names(client, container, name):
    body = name.encode()
    assert client.put("%s/%s" % (container, name), body=body).status == 201
    assert client.get("%s/%s" % (container, name)).body == body
    assert len(client.get(container, query="format=json").json) == 1
    assert client.delete("%s/%s" % (container, name)).status == 204


def test_an_encoded_slash_separates(client, container):
    assert client.put("%s%%2Fo" % container, body=b"x").status == 201
    assert client.get("%s/o" % container).body == b"x"


def test_a_trailing_slash_names_the_container(client, container):
    assert client.head(container + "/").status == 204
    assert client.get("").status in (200, 204)
    assert client.get(ACCOUNT + "/").status in (200, 204)
