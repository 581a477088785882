/* llhttp's header, with its method names out of the way of enum http_method. Include this first. */
#pragma once
#define HTTP_GET LLHTTP_GET
#define HTTP_HEAD LLHTTP_HEAD
#define HTTP_PUT LLHTTP_PUT
#define HTTP_POST LLHTTP_POST
#define HTTP_DELETE LLHTTP_DELETE
#define HTTP_OPTIONS LLHTTP_OPTIONS
#define HTTP_COPY LLHTTP_COPY
#define HTTP_PATCH LLHTTP_PATCH
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_PUT
#undef HTTP_POST
#undef HTTP_DELETE
#undef HTTP_OPTIONS
#undef HTTP_COPY
#undef HTTP_PATCH
