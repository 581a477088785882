/* Content types guessed from a name's extension, as Python's mimetypes does. */
#include "lib/swift/metadata.h"

struct mime {
	const char *extension, *type;
};

static const struct mime table[] = {
	{ "3g2", "video/3gpp2" },
	{ "3gp", "video/3gpp" },
	{ "7z", "application/x-7z-compressed" },
	{ "aac", "audio/aac" },
	{ "ai", "application/postscript" },
	{ "aif", "audio/x-aiff" },
	{ "aiff", "audio/x-aiff" },
	{ "apk", "application/vnd.android.package-archive" },
	{ "asc", "text/plain" },
	{ "au", "audio/basic" },
	{ "avi", "video/x-msvideo" },
	{ "avif", "image/avif" },
	{ "bat", "application/x-msdos-program" },
	{ "bin", "application/octet-stream" },
	{ "bmp", "image/x-ms-bmp" },
	{ "c", "text/x-csrc" },
	{ "cc", "text/x-c++src" },
	{ "cpio", "application/x-cpio" },
	{ "cpp", "text/x-c++src" },
	{ "csh", "application/x-csh" },
	{ "css", "text/css" },
	{ "csv", "text/csv" },
	{ "deb", "application/vnd.debian.binary-package" },
	{ "diff", "text/x-diff" },
	{ "dll", "application/x-msdos-program" },
	{ "doc", "application/msword" },
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "dot", "application/msword" },
	{ "eml", "message/rfc822" },
	{ "eot", "application/vnd.ms-fontobject" },
	{ "eps", "application/postscript" },
	{ "epub", "application/epub+zip" },
	{ "exe", "application/x-msdos-program" },
	{ "flac", "audio/flac" },
	{ "flv", "video/x-flv" },
	{ "gif", "image/gif" },
	{ "gtar", "application/x-gtar" },
	{ "h", "text/x-chdr" },
	{ "hdf", "application/x-hdf" },
	{ "heic", "image/heic" },
	{ "hpp", "text/x-c++hdr" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "ics", "text/calendar" },
	{ "ief", "image/ief" },
	{ "iso", "application/x-iso9660-image" },
	{ "jar", "application/java-archive" },
	{ "java", "text/x-java" },
	{ "jpe", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "js", "text/javascript" },
	{ "json", "application/json" },
	{ "latex", "application/x-latex" },
	{ "log", "text/plain" },
	{ "m1v", "video/mpeg" },
	{ "m3u", "audio/mpegurl" },
	{ "m3u8", "application/vnd.apple.mpegurl" },
	{ "m4a", "audio/mp4" },
	{ "m4v", "video/mp4" },
	{ "man", "application/x-troff-man" },
	{ "md", "text/markdown" },
	{ "mid", "audio/midi" },
	{ "midi", "audio/midi" },
	{ "mjs", "text/javascript" },
	{ "mkv", "video/x-matroska" },
	{ "mov", "video/quicktime" },
	{ "mp2", "audio/mpeg" },
	{ "mp3", "audio/mpeg" },
	{ "mp4", "video/mp4" },
	{ "mpa", "video/mpeg" },
	{ "mpe", "video/mpeg" },
	{ "mpeg", "video/mpeg" },
	{ "mpg", "video/mpeg" },
	{ "nc", "application/x-netcdf" },
	{ "o", "application/x-object" },
	{ "obj", "application/x-tgif" },
	{ "oda", "application/oda" },
	{ "odp", "application/vnd.oasis.opendocument.presentation" },
	{ "ods", "application/vnd.oasis.opendocument.spreadsheet" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "oga", "audio/ogg" },
	{ "ogg", "audio/ogg" },
	{ "ogv", "video/ogg" },
	{ "opus", "audio/ogg" },
	{ "otf", "font/otf" },
	{ "p12", "application/x-pkcs12" },
	{ "pbm", "image/x-portable-bitmap" },
	{ "pdf", "application/pdf" },
	{ "pfx", "application/x-pkcs12" },
	{ "pgm", "image/x-portable-graymap" },
	{ "pl", "text/x-perl" },
	{ "png", "image/png" },
	{ "pnm", "image/x-portable-anymap" },
	{ "pot", "text/plain" },
	{ "ppm", "image/x-portable-pixmap" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "ps", "application/postscript" },
	{ "py", "text/x-python" },
	{ "pyc", "application/x-python-code" },
	{ "qt", "video/quicktime" },
	{ "ra", "audio/x-pn-realaudio" },
	{ "rar", "application/vnd.rar" },
	{ "ras", "image/x-cmu-raster" },
	{ "rgb", "image/x-rgb" },
	{ "roff", "application/x-troff" },
	{ "rpm", "application/x-redhat-package-manager" },
	{ "rtf", "application/rtf" },
	{ "rtx", "text/richtext" },
	{ "sgm", "text/x-sgml" },
	{ "sgml", "text/x-sgml" },
	{ "sh", "application/x-sh" },
	{ "shar", "application/x-shar" },
	{ "snd", "audio/basic" },
	{ "so", "application/octet-stream" },
	{ "sql", "application/sql" },
	{ "srt", "text/plain" },
	{ "svg", "image/svg+xml" },
	{ "swf", "application/vnd.adobe.flash.movie" },
	{ "t", "application/x-troff" },
	{ "tar", "application/x-tar" },
	{ "tcl", "application/x-tcl" },
	{ "tex", "text/x-tex" },
	{ "texi", "application/x-texinfo" },
	{ "texinfo", "application/x-texinfo" },
	{ "text", "text/plain" },
	{ "tgz", "application/x-tar" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "torrent", "application/x-bittorrent" },
	{ "tr", "application/x-troff" },
	{ "ts", "video/mp2t" },
	{ "tsv", "text/tab-separated-values" },
	{ "ttf", "font/ttf" },
	{ "txt", "text/plain" },
	{ "ustar", "application/x-ustar" },
	{ "vcf", "text/vcard" },
	{ "wasm", "application/wasm" },
	{ "wav", "audio/x-wav" },
	{ "weba", "audio/webm" },
	{ "webm", "video/webm" },
	{ "webp", "image/webp" },
	{ "wmv", "video/x-ms-wmv" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "xbm", "image/x-xbitmap" },
	{ "xhtml", "application/xhtml+xml" },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "xml", "application/xml" },
	{ "xpm", "image/x-xpixmap" },
	{ "xsl", "application/xslt+xml" },
	{ "xwd", "image/x-xwindowdump" },
	{ "yaml", "application/yaml" },
	{ "yml", "application/yaml" },
	{ "zip", "application/zip" },
};

/* mimetypes.encodings_map: these say how the rest is packed, so the extension before counts. */
static const struct str encodings[] = { STR_INIT("gz"), STR_INIT("Z"), STR_INIT("bz2"),
					STR_INIT("xz"), STR_INIT("br") };

static struct str cut_extension(struct str *name)
{
	ssize_t dot = str_rchr(*name, '.');

	if (dot <= 0)
		return STR_NONE;
	struct str extension = str_skip(*name, (size_t)dot + 1);

	*name = str_head(*name, (size_t)dot);
	return extension;
}

struct str mime_guess(struct str name)
{
	ssize_t slash = str_rchr(name, '/');
	struct str base = str_skip(name, (size_t)(slash + 1));
	struct str extension = cut_extension(&base);

	for (size_t i = 0; i < ARRAY_LEN(encodings); i++)
		if (extension.p && str_eq(extension, encodings[i])) {
			extension = cut_extension(&base);
			break;
		}
	for (size_t i = 0; extension.n && i < ARRAY_LEN(table); i++)
		if (str_ieq(extension, str_from(table[i].extension)))
			return str_from(table[i].type);
	return STR_NONE;
}
