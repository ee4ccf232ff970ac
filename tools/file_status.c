/* What a file status means: its text, and the errno values that it stands for (file_proto.h). */
#include <errno.h>

#include "file_proto.h"

const char *skua_file_status_text(enum skua_file_status status)
{
    switch (status) {
#define SKUA_FILE_STATUS(name, value, text)                                                        \
    case SKUA_STATUS_##name:                                                                       \
        return text;
#include "file_status.def"
#undef SKUA_FILE_STATUS
    }
    return "unknown status";
}

bool skua_file_status_known(uint8_t value)
{
    switch (value) {
#define SKUA_FILE_STATUS(name, value_, text) case (value_):
#include "file_status.def"
#undef SKUA_FILE_STATUS
        return true;
    default:
        return false;
    }
}

enum skua_file_status skua_file_status_of_errno(int error)
{
    switch (error) {
    case 0:
        return SKUA_STATUS_OK;
    case ENOENT:
        return SKUA_STATUS_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return SKUA_STATUS_PERMISSION;
    case ENOSPC:
    case EDQUOT:
        return SKUA_STATUS_NO_SPACE;
    case EISDIR:
    case EEXIST:
        return SKUA_STATUS_DST_NOT_FILE;
    case ENOTDIR:
        return SKUA_STATUS_NOT_DIR;
    case ELOOP:
    case EXDEV:
        return SKUA_STATUS_IS_LINK;
    case ENAMETOOLONG:
    case EINVAL:
        return SKUA_STATUS_BAD_NAME;
    case EFBIG:
        return SKUA_STATUS_TOO_LARGE;
    case EMFILE:
    case ENFILE:
        return SKUA_STATUS_LIMIT;
    case ENOMEM:
        return SKUA_STATUS_NO_MEMORY;
    default:
        return SKUA_STATUS_IO;
    }
}
