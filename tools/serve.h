/* One run of `skua serve`: what serve.c sets up and serve_client.c does for each client. */
#ifndef SKUA_TOOLS_SERVE_H
#define SKUA_TOOLS_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>

#include <ev.h>
#include <skua/skua_ev.h>

#include "buffers.h"
#include "keys.h"
#include "pool.h"
#include "store.h"

struct serve_client;

struct serve {
    struct ev_loop *loop;
    struct skua_ev *ev;
    struct skua_pool *pool;
    struct skua_buffers buffers;
    struct skua_store store;      /* the served folder */
    const char *allow_path;       /* the allow list's file; NULL = anybody may connect */
    struct stat allow_stat;       /* of the file when it was read */
    struct skua_key_list allowed; /* its keys */
    bool read_only;
    bool write_only;
    bool sync; /* fsync whether the client asks or not */
    bool quiet;
    size_t max_clients;
    size_t clients;             /* at present */
    struct serve_client *first; /* list of them */
};

/* A line on stderr, unless --quiet. */
__attribute__((format(printf, 2, 3))) void serve_log(const struct serve *serve, const char *format,
                                                     ...);

/* Whether a key may connect: for skua_listen_config, with the struct as `serve`. */
bool serve_client_allow(void *serve, const struct skua_key *key, const struct skua_path *path);
/* A peer waits: takes it or refuses it. */
void serve_client_incoming(struct serve *serve, const struct skua_event *event);
/* Events of a connection that was taken. */
void serve_client_event(struct serve *serve, const struct skua_event *event);
void serve_client_closed(struct serve *serve, const struct skua_event *event);
/* The server stops: ends all connections. Sessions go as their jobs do. */
void serve_client_stop_all(struct serve *serve);

#endif
