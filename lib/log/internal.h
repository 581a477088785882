/* What the files of lib/log share. */
#pragma once
#include "lib/log/log.h"

/* Writes everything to a log's file; a log that cannot be written is nobody's error. */
void log_write_all(int fd, const char *p, size_t n);
/* Opens dir/program[.access].log for appending. */
int log_open_file(const char *suffix, int *fd, struct fault *why);
extern struct log_options log_now;

/* The access log's side of log_open and log_reopen. */
int log_access_open(struct fault *why);
