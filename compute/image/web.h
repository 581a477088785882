/* Images from elsewhere: the import method web-download. */
#pragma once
#include "compute/image/image.h"

/* Whether the operator allows to read from that URL: 0, or -EINVAL (not a URL), -EPERM. */
must_check int web_allowed(struct str uri);
/* Reads the URL in a background task, into the image of the request's first argument, which is
 * marked as an upload of that prefix; task: the record that says what became of it. Everything is
 * copied. */
void web_download(struct api_call *c, struct str uri, struct str prefix, struct str task);
