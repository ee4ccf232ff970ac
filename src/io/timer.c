/* The driver's timer and clock: see timer.h. */
#include "io/timer.h"

#include <stdint.h>
#include <sys/timerfd.h>

bool skua_timer_open(struct skua_timer *timer, const struct skua_sys *sys)
{
    timer->armed = SKUA_NEVER;
    timer->fd = sys->timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return timer->fd >= 0;
}

void skua_timer_close(struct skua_timer *timer, const struct skua_sys *sys)
{
    if (timer->fd >= 0) {
        (void)sys->close(timer->fd);
        timer->fd = -1;
    }
}

bool skua_timer_arm(struct skua_timer *timer, const struct skua_sys *sys, skua_time deadline,
                    uint64_t *calls)
{
    if (deadline >= timer->armed) {
        return true;
    }
    /* All zero would disarm it. */
    skua_time at = deadline == 0 ? 1 : deadline;
    struct itimerspec value = {
        .it_value = {.tv_sec = (time_t)(at / SKUA_SEC), .tv_nsec = (long)(at % SKUA_SEC)}};
    (*calls)++;
    if (sys->timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &value, NULL) != 0) {
        return false;
    }
    timer->armed = deadline;
    return true;
}

void skua_timer_fired(struct skua_timer *timer, const struct skua_sys *sys)
{
    uint64_t expirations;
    if (sys->read(timer->fd, &expirations, sizeof expirations) > 0) {
        timer->armed = SKUA_NEVER;
    }
}

skua_time skua_clock_now(const struct skua_sys *sys)
{
    struct timespec now = {0};
    /* CLOCK_MONOTONIC with a valid pointer cannot fail (clock_gettime(2)). */
    (void)sys->clock_gettime(CLOCK_MONOTONIC, &now);
    return (skua_time)now.tv_sec * SKUA_SEC + (skua_time)now.tv_nsec;
}
