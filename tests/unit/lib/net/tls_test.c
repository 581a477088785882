/* TLS: certificates that fit and that do not, reload, large transfers, endings, through connections
 * and through the HTTP server and client. */
#include "lib/net/tls.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static char dir[64], cert_file[96], key_file[96];

/* A self-signed certificate for name in the test's files. */
static void write_certificate(const char *name, long serial)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	char san[128];
	X509V3_CTX ctx;

	assert(key && x);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	snprintf(san, sizeof san, "DNS:%s,IP:127.0.0.1", name);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(x, key, EVP_sha256());
	FILE *f = fopen(cert_file, "w");
	PEM_write_X509(f, x);
	fclose(f);
	f = fopen(key_file, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/tls_test_XXXXXX");
	assert(mkdtemp(dir));
	snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
	snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
	write_certificate("store.example.com", 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(cert_file);
	unlink(key_file);
	rmdir(dir);
	return 0;
}

waits static void handle(void *arg, struct request *req, struct response *res)
{
	struct buf body = BUF(4 * MIB);
	int rc = body_read_all(req->body, &body);

	(void)arg;
	if (rc < 0)
		respond_status(res, 499);
	else
		respond(res, 200, req->scheme, arena_str(req->arena, buf_str(&body)));
	buf_done(&body);
}

static struct {
	struct http_server *server;
	struct tls_server *tls;
	struct http_address to;
} T;

static void start(void)
{
	struct http_server_options o = { .ip = "127.0.0.1",
					 .limits = http_limits_default,
					 .handle = handle };
	int rc = tls_server_new(cert_file, key_file, &T.tls, NULL);

	assert(rc == 0);
	o.tls = T.tls;
	o.limits.header_timeout_ms = 300;
	rc = http_server_start(&o, &T.server, NULL);
	assert(rc == 0);
	T.to = (struct http_address){ .ip = "127.0.0.1",
				      .port = http_server_port(T.server),
				      .tls = true,
				      .host = "store.example.com" };
}

waits static void stop(void)
{
	http_server_stop(T.server, 1000);
	tls_server_free(T.tls);
}

static struct http_client *client(struct tls_client **ret_tls)
{
	struct http_client_options o = http_client_options_default;
	int rc = tls_client_new(cert_file, ret_tls, NULL);

	assert(rc == 0);
	o.tls = *ret_tls;
	o.connect_timeout_ms = 5000;
	return http_client_new(&o);
}

/* One PUT with n bytes that come back. */
waits static int put(struct http_client *c, size_t n, bool chunked)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	AUTO(chars) bytes = xcalloc(1, n + 1);
	struct headers h;
	struct response res;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i % 251);
	headers_init(&h, a);
	int rc = exchange_start(c, &T.to, &x);
	if (rc == 0)
		rc = exchange_send(x, S("PUT"), S("/x"), &h,
				   chunked ? EXCHANGE_CHUNKED : (int64_t)n, STR_NONE);
	if (rc == 0)
		rc = exchange_send_body(x, str_of(bytes, n));
	if (rc == 0)
		rc = exchange_send_end(x, NULL);
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return rc;
	struct buf body = BUF(4 * MIB);
	int read = body_read_all(res.body, &body);
	bool same = body.n == n && memcmp(body.p, bytes, n) == 0;

	buf_done(&body);
	if (read < 0)
		return read;
	assert(same && str_eq(headers_get(&res.headers, S("Content-Type")), S("https")));
	return rc;
}

waits static void requests(void)
{
	static const size_t sizes[] = { 1, 100, 16 * KIB, 16 * KIB + 1, 300000, 2 * MIB };
	struct tls_client *tls;
	struct http_server_stats s;

	start();
	struct http_client *c = client(&tls);

	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		int rc = put(c, sizes[i / 2], i % 2);

		assert(rc == 200);
		if (i % 3 == 0) {       /* also from the pool after an idle while */
			rc = task_sleep(5);
			assert(rc == 0);
		}
	}
	http_server_stats(T.server, &s);
	assert(s.accepted == 1 && s.requests == 2 * ARRAY_LEN(sizes));
	http_client_free(c);
	tls_client_free(tls);
	stop();
}

waits static void certificates_that_do_not_fit(void)
{
	struct tls_client *tls, *roots;
	struct conn *conn;

	start();
	struct http_client *c = client(&tls);
	int rc = tls_client_new(NULL, &roots, NULL);

	assert(rc == 0);
	T.to.host = "other.example.com";
	rc = put(c, 1, false);
	assert(rc == -EPROTO);
	rc = conn_open_tls("127.0.0.1", T.to.port, roots, "store.example.com", 5000, &conn);
	assert(rc == -EPROTO);
	/* An address may stand in the certificate as well. */
	T.to.host = NULL;
	rc = put(c, 1, false);
	assert(rc == 200);
	http_client_free(c);
	tls_client_free(tls);
	tls_client_free(roots);
	stop();
}

waits static void reload(void)
{
	struct tls_client *old, *new;
	struct fault why = { 0 };

	start();
	struct http_client *c = client(&old);
	int rc = put(c, 10, false);

	assert(rc == 200);
	FILE *f = fopen(cert_file, "w");        /* half-written: the old one stays in use */
	fputs("-----BEGIN CERTIFICATE-----\n", f);
	fclose(f);
	rc = tls_server_reload(T.tls, &why);
	assert(rc == -EINVAL);
	expect_holds(why.text, cert_file);
	rc = put(c, 10, false);
	assert(rc == 200);

	write_certificate("store.example.com", 2);
	rc = tls_server_reload(T.tls, &why);
	assert(rc == 0);
	rc = put(c, 10, false);         /* on the open connection, with the old certificate */
	assert(rc == 200);
	http_client_free(c);
	struct http_client *d = client(&new);
	rc = put(d, 10, false);
	assert(rc == 200);
	http_client_free(d);
	c = http_client_new(
		&(struct http_client_options){ .connect_timeout_ms = 5000, .tls = old });
	rc = put(c, 10, false);         /* who only knows the old one refuses the new */
	assert(rc == -EPROTO);
	http_client_free(c);
	tls_client_free(old);
	tls_client_free(new);
	stop();
}

waits static void peers_that_speak_something_else(void)
{
	start();
	/* Plain HTTP on a TLS port, and silence after half a hello. */
	expect_lacks(wire_talk(T.to.port, "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 200");
	AUTO(conn) c = wire_open(T.to.port);
	int rc = conn_write(c, "\x16\x03\x01\x02", 4, 1000);
	assert(rc == 0);
	expect_begins(wire_read_all(c), "");
	/* A TLS client on a plain port. */
	struct http_server_options o = { .ip = "127.0.0.1",
					 .limits = http_limits_default,
					 .handle = handle };
	struct http_server *plain;
	struct tls_client *tls;
	struct conn *t;

	rc = http_server_start(&o, &plain, NULL);
	assert(rc == 0);
	rc = tls_client_new(cert_file, &tls, NULL);
	assert(rc == 0);
	rc = conn_open_tls("127.0.0.1", http_server_port(plain), tls, "store.example.com", 2000,
			   &t);
	assert(rc == -EPROTO || rc == -ECONNRESET);
	tls_client_free(tls);
	http_server_stop(plain, 100);
	stop();
}

/* Cutting a TLS connection without goodbye is not an end. */
waits static void truncation(void)
{
	struct tls_client *tls;
	struct conn *c;

	start();
	int rc = tls_client_new(cert_file, &tls, NULL);
	assert(rc == 0);
	rc = conn_open_tls("127.0.0.1", T.to.port, tls, "store.example.com", 5000, &c);
	assert(rc == 0 && conn_is_tls(c));
	wire_send(c, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
	expect_begins(wire_read_all(c), "HTTP/1.1 200 OK\r\n");
	rc = conn_fill(c, 1000);
	assert(rc == 0);                /* the server did say goodbye */
	conn_close(c);
	tls_client_free(tls);
	stop();
}

static struct tls_client *victim_tls;

waits static void victim(void *arg)
{
	struct http_client *c = arg;
	int rc = put(c, 500000, false);

	assert(rc == 200 || rc == -ECANCELED);
}

waits static void cancelled_anywhere(void)
{
	start();
	for (int turns = 0; turns < 60; turns++) {
		struct http_client *c = client(&victim_tls);

		{
			TASK_GROUP(g);
			struct task *t = task_spawn(&g, "victim", victim, c);

			for (int i = 0; i < turns; i++)
				task_yield();
			if (turns % 3 == 0 && task_sleep((uint64_t)turns / 6) < 0)
				break;
			task_cancel(t);
			int rc = task_group_join(&g);
			assert(rc == 0);
		}
		http_client_free(c);
		tls_client_free(victim_tls);
	}
	stop();
}

static void bad_files(void **state)
{
	struct tls_server *s;
	struct tls_client *c;
	struct fault why;

	(void)state;
	assert_int_equal(tls_server_new("/nowhere/cert.pem", key_file, &s, &why), -EINVAL);
	expect_holds(why.text, "/nowhere/cert.pem");
	assert_int_equal(tls_server_new(cert_file, cert_file, &s, &why), -EINVAL);
	assert_int_equal(tls_client_new("/nowhere/ca.pem", &c, &why), -EINVAL);
	expect_holds(why.text, "/nowhere/ca.pem");
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
#define TESTS(X)                                                                                   \
	X(requests)                                                                                \
	X(certificates_that_do_not_fit) X(reload) X(peers_that_speak_something_else) X(truncation) \
		X(cancelled_anywhere)
TESTS(IN_TASK)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = { TESTS(ENTRY) cmocka_unit_test(bad_files) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
