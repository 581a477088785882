/* Finishing what broke off: deletions, and uploads through this host before it was restarted. */
#pragma once
#include "compute/image/image.h"

/* A background task; arg: struct image_state. */
waits void image_sweep(void *arg);
