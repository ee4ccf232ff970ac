/* Watchers of the signals that end a command in order (stop_signals.h). */
#include "stop_signals.h"

#include <signal.h>
#include <stdbool.h>

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void skua_stop_signals_start(struct skua_stop_signals *signals, struct ev_loop *loop,
                             void (*stop)(struct ev_loop *, ev_signal *, int), void *user)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP}; /* skua_stop_signals_insist */
    signals->count = is_ignored(SIGHUP) ? 2 : 3;
    for (size_t i = 0; i < signals->count; i++) {
        ev_signal *watcher = &signals->watchers[i];
        ev_signal_init(watcher, stop, numbers[i]);
        watcher->data = user;
        ev_signal_start(loop, watcher);
    }
}

void skua_stop_signals_insist(struct skua_stop_signals *signals, struct ev_loop *loop)
{
    for (size_t i = 0; i < signals->count && i < 2; i++) {
        ev_signal_stop(loop, &signals->watchers[i]);
    }
}

void skua_stop_signals_end(struct skua_stop_signals *signals, struct ev_loop *loop)
{
    for (size_t i = 0; i < signals->count; i++) {
        ev_signal_stop(loop, &signals->watchers[i]);
    }
}
