/* Runs a fuzz target on every file of a corpus folder, and on nothing, so that `make check` replays
 * what fuzzing once found without needing libFuzzer. */
#include "lib/base/buf.h"

#include <dirent.h>

#define INPUT_MAX (64 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct str input)
{
	/* A copy of just the size, so that the sanitizer sees a byte read too far. */
	uint8_t *copy = xmalloc(input.n);

	if (input.n > 0)
		memcpy(copy, input.p, input.n);
	LLVMFuzzerTestOneInput(copy, input.n);
	free(copy);
}

static int read_file(const char *path, struct buf *to)
{
	FILE *f = fopen(path, "rb");
	size_t n = 1;

	if (!f)
		return -errno;
	while (n > 0) {
		char *room = buf_reserve(to, 64 * KIB);

		n = room ? fread(room, 1, 64 * KIB, f) : 0;
		to->n += n;
	}
	int rc = ferror(f) ? -EIO : 0;

	(void)fclose(f);
	return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
	CLEANUP(buf_done) struct buf input = BUF(INPUT_MAX);
	struct dirent **names = NULL;
	long done = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	run(S(""));
	int n = scandir(argv[1], &names, NULL, by_name);

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char path[4096 - 512];

		snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			/* Said before, so that a crash is known by its input. */
			printf("%s\n", path);
			fflush(stdout);
			buf_clear(&input);
			if (read_file(path, &input) < 0) {
				fprintf(stderr, "%s: cannot read\n", path);
				return 1;
			}
			run(buf_str(&input));
			done++;
		}
		free(names[i]);
	}
	free(names);
	printf("%ld inputs\n", done);
	return 0;
}
