"""The services' ports with TLS."""
import http.client
import ssl
import subprocess


def test_https(make_compute, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", str(key),
                    "-out", str(cert)], check=True, capture_output=True)
    cluster = make_compute(compute="cert_file = %s\nkey_file = %s" % (cert, key))
    c = http.client.HTTPSConnection("127.0.0.1", cluster.port + 10,
                                    context=ssl.create_default_context(cafile=str(cert)))
    c.request("GET", "/")
    res = c.getresponse()
    assert res.status == 300
    assert b'"https://127.0.0.1:%d/v2/"' % (cluster.port + 10) in res.read()
    c.close()
