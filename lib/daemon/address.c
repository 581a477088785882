/* Looks whether an address can be bound, and if not says why in words that help. */
#include "lib/daemon/internal.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int make_address(const char *ip, unsigned port, struct sockaddr_storage *sa, socklen_t *size)
{
	struct sockaddr_in *in = (void *)sa;
	struct sockaddr_in6 *in6 = (void *)sa;

	memset(sa, 0, sizeof *sa);
	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		*size = sizeof *in;
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*size = sizeof *in6;
		return 0;
	}
	return -EINVAL;
}

/* Field number n (from 0) of a line of blank-separated words. */
static struct str word(struct str line, unsigned n)
{
	struct str w;

	while ((w = str_cut(&line, ' ')).p)
		if (w.n && n-- == 0)
			return w;
	return STR_NONE;
}

/* The socket that listens on a port, from a table such as /proc/net/tcp: its inode, or 0. */
static uint64_t listening_inode(const char *table, unsigned port)
{
	char line[512], wanted[8];
	uint64_t inode = 0;
	FILE *f = fopen(table, "re");

	if (!f)
		return 0;
	snprintf(wanted, sizeof wanted, ":%04X", port & 0xffff);
	while (inode == 0 && fgets(line, sizeof line, f)) {
		struct str s = str_trim(str_from(line));

		if (str_ends(word(s, 1), str_from(wanted)) && str_eq(word(s, 3), S("0A")) &&
		    str_to_u64(word(s, 9), &inode) < 0)
			inode = 0;
	}
	fclose(f);
	return inode;
}

static bool holds_socket(const char *pid, uint64_t inode)
{
	char path[300], link[64], wanted[64];
	bool found = false;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
	DIR *dir = opendir(path);

	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link);

		found = n > 0 && str_eq(str_of(link, (size_t)n), str_from(wanted));
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The name under which ps shows a process: the program's, not its path nor its arguments. */
static bool process_name(const char *pid, char *to, size_t room)
{
	char path[300], line[256] = "";

	snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	size_t n = fread(line, 1, sizeof line - 1, f);

	fclose(f);
	line[n] = 0;
	struct str rest = str_from(line), name = str_cut(&rest, ' ');
	ssize_t slash = str_rchr(name, '/');

	name = str_skip(name, (size_t)(slash + 1));
	if (str_ends(name, S(":")))
		name.n--;
	snprintf(to, room, "%.*s (process %.10s)", STR(name), pid);
	return name.n > 0;
}

/* "nginx (process 4711)" as far as /proc tells us. */
static void describe_owner(unsigned port, char *to, size_t room)
{
	uint64_t inode = listening_inode("/proc/net/tcp", port);
	bool found = false;

	if (inode == 0)
		inode = listening_inode("/proc/net/tcp6", port);
	DIR *proc = inode ? opendir("/proc") : NULL;

	for (struct dirent *e; proc && !found && (e = readdir(proc));)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && holds_socket(e->d_name, inode))
			found = process_name(e->d_name, to, room);
	if (proc)
		closedir(proc);
	if (!found)
		snprintf(to, room, "another program");
}

static int refuse(const struct daemon_address *a, int rc, struct fault *why)
{
	char owner[128];
	bool v6 = strchr(a->ip, ':');

	if (rc == -EADDRINUSE) {
		describe_owner(a->port, owner, sizeof owner);
		return fault_set(why, rc, "%s%s%s:%u is in use by %s; choose another with %s",
				 v6 ? "[" : "", a->ip, v6 ? "]" : "", a->port, owner, a->set_by);
	}
	if (rc == -EACCES || rc == -EPERM)
		return fault_set(
			why, rc,
			"no right to listen on port %u; ports below 1024 need root, choose "
			"another with %s",
			a->port, a->set_by);
	if (rc == -EADDRNOTAVAIL)
		return fault_set(why, rc, "%s is not an address of this host; set %s", a->ip,
				 a->set_by);
	return fault_set(why, rc, "cannot listen on %s port %u (%s): %s", a->ip, a->port, a->set_by,
			 strerror(-rc));
}

int daemon_check_address(const struct daemon_address *a, struct fault *why)
{
	struct sockaddr_storage sa;
	socklen_t size;
	int one = 1, rc = 0;

	if (make_address(a->ip, a->port, &sa, &size) < 0)
		return fault_set(why, -EINVAL, "%s is not an IPv4 or IPv6 address; set %s", a->ip,
				 a->set_by);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Listening is tried as well: with SO_REUSEADDR binding beside a bound socket succeeds. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    (sa.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
	    bind(fd, (struct sockaddr *)&sa, size) < 0 || listen(fd, 1) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc < 0 ? refuse(a, rc, why) : 0;
}
