/* Files and programs of the host, as the launcher needs them; everything here blocks. */
#include "compute/machine/internal.h"
#include "lib/disk/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 2 * KIB, DEPTH_MAX = 8 };

struct str machine_path(const struct machines *m, struct arena *a, const char *id,
			const char *file)
{
	return arena_printf(a, "%s/machines/%s%s%s", m->dir, id, file ? "/" : "",
			    file ? file : "");
}

int make_passable(const char *path, struct fault *why)
{
	if (mkdir(path, 0711) < 0 && errno != EEXIST)
		return fault_set(why, -errno, "%s cannot be made: %s", path, strerror(errno));
	return 0;
}

static int remove_below(int parent, const char *name, unsigned depth)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || depth == DEPTH_MAX)
		return fd < 0 ? -errno : (close(fd), -ELOOP);
	DIR *dir = fdopendir(fd);
	const struct dirent *e;
	int rc = 0;

	while (dir && rc == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_below(fd, e->d_name, depth + 1);
	if (dir)
		closedir(dir);
	else
		close(fd);
	if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

int remove_all(const char *path)
{
	return remove_below(AT_FDCWD, path, 0);
}

/* What it writes until it closes; the first SAID_MAX bytes are kept. */
static void listen_to(int fd, char said[SAID_MAX])
{
	char more[512];
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, n < SAID_MAX - 1 ? said + n : more,
			   n < SAID_MAX - 1 ? SAID_MAX - 1 - n : sizeof more)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		if (got > 0 && n < SAID_MAX - 1)
			n += (size_t)got;
	}
	said[n] = 0;
}

static int spawn(const char *const *argv, int out, pid_t *ret)
{
	extern char **environ;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, out, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int rc = posix_spawnp(ret, argv[0], &files, &attr, (char *const *)argv, environ);

	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

int run_program(const char *const *argv, struct fault *why)
{
	char said[SAID_MAX];
	int pipes[2], status = 0;
	pid_t pid = 0;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	int rc = spawn(argv, pipes[1], &pid);

	close(pipes[1]);
	if (rc < 0) {
		close(pipes[0]);
		return fault_set(why, -EIO, "%s cannot be run: %s", argv[0], strerror(-rc));
	}
	listen_to(pipes[0], said);
	close(pipes[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	struct str text = str_trim(str_from(said));

	return fault_set(why, strstr(said, "No space left") ? -ENOSPC : -EIO, "%.*s", STR(text));
}

int touch_for_qemu(const char *path, struct fault *why)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), rc = 0;

	if (fd < 0)
		return fault_set(why, -errno, "%s cannot be made: %s", path, strerror(errno));
	if (geteuid() == 0 && !machine_conf.uri) {
		const struct passwd *user = getpwnam(machine_conf.qemu_user);

		if (!user)
			rc = fault_set(why, -ENOENT, "There is no user %s",
				       machine_conf.qemu_user);
		else if (fchown(fd, user->pw_uid, user->pw_gid) < 0)
			rc = -errno;
	}
	close(fd);
	return rc;
}

int disk_room(const struct machines *m, uint64_t *ret_total, uint64_t *ret_free)
{
	struct statvfs v;

	if (statvfs(m->dir, &v) < 0)
		return -errno;
	uint64_t left = (uint64_t)v.f_bavail * v.f_frsize;

	*ret_total = (uint64_t)v.f_blocks * v.f_frsize;
	*ret_free = left > machine_conf.disk_reserve ? left - machine_conf.disk_reserve : 0;
	return 0;
}

void console_trim(const char *path, uint64_t max)
{
	struct stat st;

	/* QEMU adds to its end, wherever that is. */
	if (stat(path, &st) == 0 && (uint64_t)st.st_size > max && truncate(path, 0) < 0)
		return;
}
