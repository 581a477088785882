/* POST /device/0/.needletail/explain with "account[/container[/object]]" as its body: everything
 * that this device knows of it, in JSON. `needletail explain` asks all devices that may know
 * something. */
#pragma once
#include "objectd/objectd.h"

waits void explain_handle(struct objectd *o, struct request *req, struct response *res);
