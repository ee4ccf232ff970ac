/* One run of `skua cp`: what cp.c plans and cp_run.c does. */
#ifndef SKUA_TOOLS_CP_H
#define SKUA_TOOLS_CP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "exit_codes.h"
#include "keys.h"
#include "known_hosts.h"
#include "report.h"

/* What to copy, from where, how. Strings live as long as argv, or as the plan. */
struct skua_cp_plan {
    bool upload;    /* PUT; else GET */
    char host[256]; /* as typed, without brackets */
    uint16_t port;
    const char **roots; /* PUT: local paths; GET: paths on the server */
    const char **shown; /* the same as the user typed them, for messages */
    const char **names; /* names at the destination; "" = contents go into the directory */
    char **owned;       /* strings made for this plan */
    size_t owned_count;
    size_t count;                       /* of roots */
    const char *dst;                    /* PUT: path on the server; GET: local path */
    unsigned flags;                     /* SKUA_FILE_RECURSIVE and so on */
    struct skua_secret_key key;         /* own */
    struct skua_user_path known;        /* file of known servers */
    char host_name[SKUA_HOST_TEXT_LEN]; /* the server's name in it */
    bool pinned;                        /* `pin` is the key that the server must have */
    bool pin_given;                     /* by --server-key; else known */
    struct skua_key pin;
    bool accept_new; /* an unknown server's key is remembered without asking */
};

/* Connects and copies. Reports everything; the result is the exit code. `*unknown` is set, and
 * nothing was copied, where the server's key is new and must be agreed to first: it is in
 * *server_key. */
enum skua_exit skua_cp_run(const struct skua_cp_plan *plan, struct skua_report *report,
                           bool *unknown, struct skua_key *server_key);

#endif
