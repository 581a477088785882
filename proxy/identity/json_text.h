/* JSON in and out of the identity service. */
#pragma once
#include "lib/json/json_text.h"
