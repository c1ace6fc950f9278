/* SPDX-License-Identifier: MIT */
/* error.c: texts of the error codes, and the version. */
#include <acre/base.h>
#include <string.h>

#define ERROR_STRING(x) #x
#define ERROR_VERSION(a, b, c) ERROR_STRING(a) "." ERROR_STRING(b) "." ERROR_STRING(c)

const char *acre_strerror(int error)
{
    switch (error) {
#define ERROR_CASE(name, code, text) \
    case name:                       \
        return text;
        ACRE_ERRORS(ERROR_CASE)
#undef ERROR_CASE
    default:
        return error < 0 ? "unknown acre error" : strerror(error);
    }
}

const char *acre_version(void)
{
    return ERROR_VERSION(ACRE_VERSION_MAJOR, ACRE_VERSION_MINOR, ACRE_VERSION_PATCH);
}
