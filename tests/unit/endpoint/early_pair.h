/* What tests of early data share: a pair whose client has a token of the server's. */
#ifndef SKUA_TESTS_ENDPOINT_EARLY_PAIR_H
#define SKUA_TESTS_ENDPOINT_EARLY_PAIR_H

#include "pair.h"

/* Keeps the client's last SYN, and drops what the test says. */
struct early_tap {
    uint8_t syn[SKUA_SYN_CAP];
    size_t len;      /* of it; 0 = none yet */
    bool deaf, mute; /* drop what the client, the server sends */
};

/* For `drop` of a pair whose `user` is a tap. */
bool early_tap(struct pair *pair, int from, const uint8_t *data, size_t len);

/* A client that asks for tokens; a listener that takes early data. */
struct skua_conn_config early_asking(struct pair *p);
struct skua_listen_config early_giving(void);

/* Opens a pair whose server listens with `config`; NULL: with early_giving. */
void early_open(struct pair *p, const struct skua_listen_config *config);
/* A token for the client, from a connection that has ended since; the server listens on. */
struct skua_token early_earn(struct pair *p);
/* Both, and `t` listens from then on; NULL: nobody does. */
struct skua_token early_begin(struct pair *p, struct early_tap *t,
                              const struct skua_listen_config *config);
/* Connects with `token` and writes `text` with its end before the SYN leaves. */
skua_stream early_call(struct pair *p, const struct skua_token *token, const char *text);
/* Closes what there is at both sides, and lets it end. */
void early_close_both(struct pair *p);
/* Forgets what both sides have seen. */
void early_forget(struct pair *p);

/* Some other address than the client's, and a copy of its SYN that comes from there. */
struct skua_path early_elsewhere(uint16_t port);
void early_inject(struct pair *p, const struct early_tap *t, uint16_t port);

/* How many datagrams met with `verdict` at `at`. */
uint64_t early_verdicts(struct pair *p, int at, enum skua_verdict verdict);
/* What can be read of `stream` at `at` is `text`, and no more comes. */
void early_reads(struct pair *p, int at, skua_stream stream, const char *text);
/* The call came through once, as early data or not, and the connection ends orderly. */
void early_came_through(struct pair *p, const char *text, bool early);

#endif
