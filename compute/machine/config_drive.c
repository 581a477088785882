/* The config drive: an ISO 9660 image, labelled config-2, that cloud-init reads. */
#include "compute/machine/internal.h"
#include "lib/base/clock.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

enum { VOLUME_ID_AT = 32768 + 40, VOLUME_ID_SIZE = 32 };

static bool add_file(struct archive *to, const char *path, struct str text)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0444);
	archive_entry_set_size(e, (int64_t)text.n);
	archive_entry_set_mtime(e, clock_wall_s(), 0);
	bool ok = archive_write_header(to, e) == ARCHIVE_OK &&
		  archive_write_data(to, text.p, text.n) == (ssize_t)text.n;

	archive_entry_free(e);
	return ok;
}

/* libarchive writes the label in capitals and without the hyphen, as ISO 9660 has it; cloud-init
 * looks for what every other maker writes there. */
static int set_label(const char *path)
{
	char label[VOLUME_ID_SIZE];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	memset(label, ' ', sizeof label);
	memcpy(label, "config-2", strlen("config-2"));
	int rc = pwrite(fd, label, sizeof label, VOLUME_ID_AT) == VOLUME_ID_SIZE ? 0 : -EIO;

	close(fd);
	return rc;
}

int config_drive_write(const struct machine_spec *spec, const char *path, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct archive *to = archive_write_new();
	bool ok = archive_write_set_format_iso9660(to) == ARCHIVE_OK &&
		  archive_write_set_options(to, "rockridge=useful,!joliet") == ARCHIVE_OK &&
		  archive_write_open_filename(to, path) == ARCHIVE_OK;

	for (unsigned i = 0; metadata_paths[i] && ok; i++) {
		struct str text = metadata_document(a, spec, str_from(metadata_paths[i]));

		if (text.p)
			ok = add_file(to, metadata_paths[i], text);
	}
	ok = ok && archive_write_close(to) == ARCHIVE_OK;
	int rc = ok ? 0 : archive_errno(to) == ENOSPC ? -ENOSPC : -EIO;

	if (rc < 0)
		fault_set(why, rc, "The config drive cannot be written: %s",
			  archive_error_string(to) ? archive_error_string(to) : "");
	archive_write_free(to);
	if (rc == 0)
		rc = set_label(path);
	return rc;
}
