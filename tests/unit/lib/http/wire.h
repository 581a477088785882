/* For tests over real sockets: a function run in a task on a fresh loop, and a client that sends
 * exactly the bytes it is told to. Failures abort: cmocka's own assertions cannot leave a task. */
#pragma once
#include "lib/http/server.h"
#include "lib/net/conn.h"

/* Runs fn in a task until it and everything it started have ended. */
void run_in_task(void (*fn)(void));

/* A connection to 127.0.0.1. */
waits struct conn *wire_open(unsigned port);
waits void wire_send(struct conn *c, const char *text);
/* Everything until the peer closes (or resets), as a C string that stays until the next call. */
waits const char *wire_read_all(struct conn *c);
/* One response with a Content-Length or chunked (decoded) body, as wire_read_all. */
waits const char *wire_read_response(struct conn *c, bool head_request);
/* Sends text on a connection of its own and reads until it is closed. */
waits const char *wire_talk(unsigned port, const char *text);
/* text must begin with / hold what is expected, or the test ends with both printed. */
void expect_begins(const char *text, const char *with);
void expect_holds(const char *text, const char *what);
void expect_lacks(const char *text, const char *what);
