/* TLS by OpenSSL: contexts for servers and clients. Connections use them through lib/net/conn.h. */
#pragma once
#include "lib/base/fault.h"

struct tls_server;
/* Loads certificate chain and key (PEM files). The reason names the file. */
int tls_server_new(const char *cert_file, const char *key_file, struct tls_server **ret,
		   struct fault *why);
/* Loads both files again; connections that are open keep the old ones. On failure the old stay. */
int tls_server_reload(struct tls_server *t, struct fault *why);
void tls_server_free(struct tls_server *t);

struct tls_client;
/* ca_file NULL: the system's roots. */
int tls_client_new(const char *ca_file, struct tls_client **ret, struct fault *why);
void tls_client_free(struct tls_client *t);
