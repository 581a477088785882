/* TLS between a connection's raw buffer and its plain one. OpenSSL never sees the socket: it reads
 * from conn.in and writes to tls.out, and whoever called it moves the bytes. */
#include "lib/net/internal.h"
#include "lib/base/buf.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { OUT_MAX = 1 * MIB, FLUSH_AT = 128 * KIB, RECORD_MAX = 16 * KIB };

struct tls {
	SSL *ssl;
	struct inbuf plain;             /* decrypted, not consumed yet */
	struct buf out;                 /* encrypted, not sent yet */
	bool closed;                    /* the peer said goodbye: no bytes follow */
};

/* ---- contexts ---- */

struct tls_server {
	SSL_CTX *ctx;
	char *cert_file, *key_file;
};

struct tls_client {
	SSL_CTX *ctx;
};

/* Never ask the terminal for a password of a key file. */
static int no_password(char *p, int n, int writing, void *arg)
{
	(void)p;
	(void)n;
	(void)writing;
	(void)arg;
	return 0;
}

/* HTTP/1.1 is all we speak; a client that offers nothing gets it too. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
			   const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)out, out_n, ours, sizeof ours - 1, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		unreachable("no memory for a TLS context");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	return ctx;
}

/* The oldest entry of OpenSSL's queue, which says most. */
static const char *ssl_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_get_error());

	return text ? text : "unknown reason";
}

static SSL_CTX *server_context(const char *cert_file, const char *key_file, struct fault *why)
{
	SSL_CTX *ctx = context_new(TLS_server_method());
	const char *bad = NULL;

	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		bad = cert_file;
	else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		bad = key_file;
	if (bad) {
		fault_set(why, -EINVAL, "cannot use %s for TLS: %s", bad, ssl_reason());
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"needletail", 10);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return ctx;
}

int tls_server_new(const char *cert_file, const char *key_file, struct tls_server **ret,
		   struct fault *why)
{
	SSL_CTX *ctx = server_context(cert_file, key_file, why);

	if (!ctx)
		return -EINVAL;
	struct tls_server *t = xcalloc(1, sizeof *t);

	t->ctx = ctx;
	t->cert_file = xstrdup(cert_file);
	t->key_file = xstrdup(key_file);
	*ret = t;
	return 0;
}

int tls_server_reload(struct tls_server *t, struct fault *why)
{
	SSL_CTX *ctx = server_context(t->cert_file, t->key_file, why);

	if (!ctx)
		return -EINVAL;
	SSL_CTX_free(t->ctx);           /* connections hold references of their own */
	t->ctx = ctx;
	return 0;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t->cert_file);
	free(t->key_file);
	free(t);
}

int tls_client_new(const char *ca_file, struct tls_client **ret, struct fault *why)
{
	SSL_CTX *ctx = context_new(TLS_client_method());

	ERR_clear_error();
	if ((ca_file ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL) :
		       SSL_CTX_set_default_verify_paths(ctx)) != 1) {
		fault_set(why, -EINVAL, "cannot use %s for TLS: %s",
			  ca_file ? ca_file : "the system's certificates", ssl_reason());
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	struct tls_client *t = xcalloc(1, sizeof *t);

	t->ctx = ctx;
	*ret = t;
	return 0;
}

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* ---- OpenSSL's view of the connection ---- */

static int bio_read(BIO *b, char *p, int n)
{
	struct conn *c = BIO_get_data(b);
	struct str have = str_head(inbuf_str(&c->in), (size_t)MAX(n, 0));

	BIO_clear_retry_flags(b);
	if (have.n == 0) {
		if (c->eof || c->error)
			return 0;
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(p, have.p, have.n);
	inbuf_consume(&c->in, have.n);
	return (int)have.n;
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	buf_add(&c->tls->out, p, (size_t)MAX(n, 0));
	return buf_failed(&c->tls->out) ? -1 : n;
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
	struct conn *c = BIO_get_data(b);

	(void)n;
	(void)p;
	if (cmd == BIO_CTRL_EOF)
		return c->eof && inbuf_n(&c->in) == 0;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *m;

	if (!m) {
		m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

static void attach(struct conn *c, SSL_CTX *ctx)
{
	struct tls *t = xcalloc(1, sizeof *t);
	BIO *b = BIO_new(bio_method());

	t->ssl = SSL_new(ctx);
	if (!b || !t->ssl)
		unreachable("no memory for a TLS session");
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	t->out = BUF(OUT_MAX);
	c->tls = t;
}

void tls_accept(struct conn *c, struct tls_server *s)
{
	attach(c, s->ctx);
	SSL_set_accept_state(c->tls->ssl);
}

int tls_connect(struct conn *c, struct tls_client *t, const char *server_name)
{
	unsigned char address[16];

	attach(c, t->ctx);
	SSL *ssl = c->tls->ssl;

	SSL_set_connect_state(ssl);
	if (uv_inet_pton(AF_INET, server_name, address) == 0 ||
	    uv_inet_pton(AF_INET6, server_name, address) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name) == 1
			       ? 0
			       : -EINVAL;
	if (SSL_set_tlsext_host_name(ssl, server_name) != 1 || SSL_set1_host(ssl, server_name) != 1)
		return -EINVAL;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	inbuf_give(&t->plain);
	buf_done(&t->out);
	free(t);
}

struct inbuf *tls_plain(struct tls *t)
{
	return &t->plain;
}

/* ---- moving bytes ---- */

/* What an OpenSSL call that returned ret <= 0 asks for: -EAGAIN (more input), 0 (goodbye), or an
 * error. */
static int verdict(struct conn *c, int ret)
{
	int e = SSL_get_error(c->tls->ssl, ret);

	ERR_clear_error();
	if (e == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (e == SSL_ERROR_ZERO_RETURN) {
		c->tls->closed = true;
		return 0;
	}
	if (c->error)
		return c->error;
	/* An end without goodbye may be an attacker's cut. */
	return c->eof ? -ECONNRESET : -EPROTO;
}

/* Decrypts what is there: 1 when that gave plain bytes, or a verdict. */
static int decrypt(struct conn *c)
{
	struct tls *t = c->tls;
	size_t before = inbuf_n(&t->plain);
	int rc = 1;

	if (!t->plain.p)
		inbuf_take(&t->plain, c->want);
	while (t->plain.end < t->plain.cap) {
		ERR_clear_error();
		int n = SSL_read(t->ssl, t->plain.p + t->plain.end,
				 (int)(t->plain.cap - t->plain.end));

		if (n <= 0) {
			rc = verdict(c, n);
			break;
		}
		t->plain.end += (uint32_t)n;
	}
	bool more = inbuf_n(&t->plain) > before;

	if (inbuf_n(&t->plain) == 0)
		inbuf_give(&t->plain);
	return more ? 1 : rc;
}

waits static int flush(struct conn *c, uint64_t timeout_ms)
{
	if (c->tls->out.n == 0)
		return 0;
	/* Ours while we wait: a reader may let OpenSSL write meanwhile. */
	CLEANUP(buf_done) struct buf out = c->tls->out;

	c->tls->out = BUF(OUT_MAX);
	struct iovec iov = { out.p, out.n };
	int rc = raw_writev(c, &iov, 1, timeout_ms);

	if (rc == 0 && c->tls->out.n == 0 && c->tls->out.cap == 0) {
		buf_clear(&out);        /* keep the memory for the next time */
		c->tls->out = out;
		out = BUF(OUT_MAX);
	}
	return rc;
}

/* Sends what OpenSSL wants to say, then waits for input. */
waits static int turn(struct conn *c, uint64_t timeout_ms)
{
	int rc = flush(c, timeout_ms);

	if (rc == 0 && !c->eof)
		rc = raw_fill(c, timeout_ms);
	return rc < 0 ? rc : 0;
}

int tls_handshake(struct conn *c, uint64_t timeout_ms)
{
	for (;;) {
		ERR_clear_error();
		int rc = SSL_do_handshake(c->tls->ssl);

		if (rc == 1)
			return flush(c, timeout_ms);
		rc = verdict(c, rc);
		if (rc != -EAGAIN) {
			(void)!flush(c, timeout_ms);    /* the alert that says why */
			return rc < 0 ? rc : -ECONNRESET;
		}
		rc = turn(c, timeout_ms);
		if (rc < 0)
			return rc;
	}
}

int tls_fill(struct conn *c, uint64_t timeout_ms)
{
	struct tls *t = c->tls;

	if (t->plain.p) {
		inbuf_compact(&t->plain);
		if (t->plain.end == t->plain.cap && t->plain.cap < c->want)
			inbuf_grow(&t->plain, t->plain.cap + 1);
		if (t->plain.end == t->plain.cap)
			return -ENOBUFS;
	}
	for (;;) {
		if (t->closed)
			return 0;
		int rc = decrypt(c);

		if (rc != -EAGAIN) {
			int sent = flush(c, timeout_ms);

			return rc > 0 && sent < 0 ? sent : rc;
		}
		rc = turn(c, timeout_ms);
		if (rc < 0)
			return rc;
	}
}

bool tls_idle_input(struct conn *c)
{
	if (!SSL_is_init_finished(c->tls->ssl) || c->eof || c->error)
		return true;
	if (decrypt(c) != -EAGAIN)
		return true;
	/* A session ticket or a key update: nobody has to know. */
	struct buf *out = &c->tls->out;

	if (out->n > 0) {
		int n = raw_try_write(c, buf_str(out));

		buf_consume(out, n > 0 ? (size_t)n : 0);
	}
	return false;
}

static size_t flush_at(void)
{
	return pages_scarce() ? RECORD_MAX : FLUSH_AT;
}

waits static int encrypt(struct conn *c, const char *p, size_t n, uint64_t timeout_ms)
{
	while (n > 0) {
		ERR_clear_error();
		int rc = SSL_write(c->tls->ssl, p, (int)MIN(n, (size_t)RECORD_MAX));

		if (rc > 0) {
			p += rc;
			n -= (size_t)rc;
			rc = c->tls->out.n >= flush_at() ? flush(c, timeout_ms) : 0;
		} else {
			rc = verdict(c, rc);
			rc = rc == -EAGAIN ? turn(c, timeout_ms) : rc < 0 ? rc : -EPIPE;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Several small pieces (a head and a body) are put together: each would cost a record. */
static size_t gather(char *to, size_t room, struct iovec **iov, unsigned *n)
{
	size_t filled = 0;

	while (*n > 0 && (*iov)->iov_len <= room - filled) {
		if ((*iov)->iov_len)
			memcpy(to + filled, (*iov)->iov_base, (*iov)->iov_len);
		filled += (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	return filled;
}

int tls_writev(struct conn *c, struct iovec *iov, unsigned n, uint64_t timeout_ms)
{
	AUTO(chars) record = NULL;
	int rc = 0;

	if (c->closing)
		return -ECONNABORTED;
	while (n > 0 && rc == 0) {
		if (n == 1 || iov->iov_len >= RECORD_MAX) {
			rc = encrypt(c, iov->iov_base, iov->iov_len, timeout_ms);
			iov++;
			n--;
			continue;
		}
		if (!record)
			record = xmalloc(RECORD_MAX);
		rc = encrypt(c, record, gather(record, RECORD_MAX, &iov, &n), timeout_ms);
	}
	return rc < 0 ? rc : flush(c, timeout_ms);
}

void tls_say_goodbye(struct conn *c)
{
	struct tls *t = c->tls;

	if (!SSL_is_init_finished(t->ssl) || c->error)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
	if (t->out.n > 0 && raw_try_write(c, buf_str(&t->out)) > 0)
		buf_clear(&t->out);
}
