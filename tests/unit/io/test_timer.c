/* The one timer: set only when the deadline gets earlier, absolute, and recovering from failures.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "io/timer.h"

static struct skua_sys sys;
static int settime_errno;
static struct itimerspec last_value;
static int last_flags;

static int record_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
    last_value = *value;
    last_flags = flags;
    if (settime_errno != 0) {
        errno = settime_errno;
        return -1;
    }
    return timerfd_settime(fd, flags, value, old);
}

static int fail_create(int clock, int flags)
{
    (void)clock;
    (void)flags;
    errno = EMFILE;
    return -1;
}

static int setup(void **state)
{
    (void)state;
    sys = skua_sys_linux;
    sys.timerfd_settime = record_settime;
    settime_errno = 0;
    return 0;
}

static void set_only_when_earlier(void **state)
{
    (void)state;
    struct skua_timer timer;
    uint64_t calls = 0;
    assert_true(skua_timer_open(&timer, &sys));
    skua_time far = skua_clock_now(&sys) + 3600 * SKUA_SEC;
    assert_true(skua_timer_arm(&timer, &sys, SKUA_NEVER, &calls));
    assert_int_equal(calls, 0);
    assert_true(skua_timer_arm(&timer, &sys, far + 7, &calls));
    assert_int_equal(calls, 1);
    assert_int_equal(last_flags, TFD_TIMER_ABSTIME);
    assert_int_equal(last_value.it_value.tv_sec, (far + 7) / SKUA_SEC);
    assert_int_equal(last_value.it_value.tv_nsec, (far + 7) % SKUA_SEC);
    assert_int_equal(last_value.it_interval.tv_sec, 0);
    assert_true(skua_timer_arm(&timer, &sys, far + 7, &calls));
    assert_true(skua_timer_arm(&timer, &sys, far + 8, &calls));
    assert_int_equal(calls, 1);
    assert_true(skua_timer_arm(&timer, &sys, far, &calls));
    assert_int_equal(calls, 2);
    skua_timer_close(&timer, &sys);
    skua_timer_close(&timer, &sys);
}

static void fires_and_can_be_set_again(void **state)
{
    (void)state;
    struct skua_timer timer;
    uint64_t calls = 0;
    assert_true(skua_timer_open(&timer, &sys));
    for (int i = 0; i < 2; i++) {
        assert_true(skua_timer_arm(&timer, &sys, 0, &calls)); /* long past, and not "disarm" */
        struct pollfd pollfd = {.fd = timer.fd, .events = POLLIN};
        assert_int_equal(poll(&pollfd, 1, 5000), 1);
        skua_timer_fired(&timer, &sys);
        assert_true(timer.armed == SKUA_NEVER);
        assert_int_equal(poll(&pollfd, 1, 0), 0);
    }
    skua_timer_close(&timer, &sys);
}

static void refused(void **state)
{
    (void)state;
    struct skua_timer timer;
    uint64_t calls = 0;
    assert_true(skua_timer_open(&timer, &sys));
    settime_errno = EINVAL;
    assert_false(skua_timer_arm(&timer, &sys, 1000, &calls));
    settime_errno = 0;
    assert_true(skua_timer_arm(&timer, &sys, 1000, &calls)); /* not taken for armed */
    assert_int_equal(calls, 2);
    skua_timer_close(&timer, &sys);
    sys.timerfd_create = fail_create;
    assert_false(skua_timer_open(&timer, &sys));
    skua_timer_close(&timer, &sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(set_only_when_earlier, setup),
        cmocka_unit_test_setup(fires_and_can_be_set_again, setup),
        cmocka_unit_test_setup(refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
