/* SSH key pairs: reading public keys in OpenSSH's form, making new pairs. */
#pragma once
#include "lib/base/arena.h"

enum { SSHKEY_FINGERPRINT_SIZE = 48, SSHKEY_TEXT_MAX = 16 * 1024 };

/* Looks at "ssh-ed25519 AAAA… comment": a known type, base64 whose blob is of the same type and as
 * long as its parts say. 0 with the MD5 fingerprint of the blob ("74:e3:07:…"), or -EINVAL. */
must_check int sshkey_check(struct str text, char ret_fingerprint[SSHKEY_FINGERPRINT_SIZE]);
/* A new Ed25519 pair in the arena: the private key as OpenSSH writes it (openssh-key-v1, no
 * passphrase), the public one as a line without its end. */
void sshkey_make(struct arena *a, struct str comment, struct str *ret_private,
		 struct str *ret_public);
