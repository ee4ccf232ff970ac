/* A recorder of fsync (synced.h). */
#include "synced.h"

#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t inodes[256];
static size_t count;
static bool fails;
static void (*call_first)(void *user);
static void *call_user;

/* Names that the linker demands. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat st;
    void (*const call)(void *) = call_first;
    call_first = NULL;
    if (call != NULL) {
        call(call_user);
    }
    if (fails) {
        fails = false;
        errno = EIO;
        return -1;
    }
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(count < sizeof inodes / sizeof inodes[0]);
    inodes[count++] = st.st_ino;
    return __real_fsync(fd);
}

void synced_reset(void)
{
    count = 0;
}

void synced_fail_once(void)
{
    fails = true;
}

void synced_call_once(void (*call)(void *user), void *user)
{
    call_first = call;
    call_user = user;
}

bool synced_has(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    for (size_t i = 0; i < count; i++) {
        if (inodes[i] == st.st_ino) {
            return true;
        }
    }
    return false;
}
