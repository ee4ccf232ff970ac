/* One end of a connection taken over: an honest handshake in the simulator, then the link loses all
 * that either endpoint sends, and packets that authenticate are made by hand. For the targets that
 * drive a whole endpoint. */
#ifndef SKUA_FUZZ_ATTACK_H
#define SKUA_FUZZ_ATTACK_H

#include <string.h>

#include "base/cursor.h"
#include "endpoint/endpoint.h"
#include "packet/seal.h"
#include "pair.h"

enum { ATTACK_PACKET_MAX = 4096 };

struct attack {
    struct pair p;
    struct side *victim, *attacker;
    uint64_t pn; /* to be used next */
};

/* The connection of a side; NULL where it is gone. */
static inline struct skua_connection *attack_conn(const struct side *s)
{
    return skua_endpoint_conn(s->host->ep, s->conn);
}

/* Shakes hands, with these configs, and takes one end over. */
static inline void attack_begin(struct attack *a, bool at_server,
                                const struct skua_listen_config *listen,
                                const struct skua_conn_config *config)
{
    static const struct sim_link_config link = {.delay = SKUA_MSEC};
    pair_init(&a->p, "", &link);
    a->p.w->replay = "";
    pair_listen(&a->p, listen);
    pair_dial(&a->p, config);
    pair_run(&a->p, MS(300));
    a->victim = at_server ? &a->p.server : &a->p.client;
    a->attacker = at_server ? &a->p.client : &a->p.server;
    a->p.client.dark = a->p.server.dark = true;
    a->p.client.plain = a->p.server.plain = true; /* the attacker writes what it likes */
    const struct skua_connection *c = attack_conn(a->attacker);
    SIM_CHECK(a->p.w, c != NULL);
    a->pn = c != NULL ? skua_recovery_next_pn(&c->recovery) + 1000 : 0;
}

/* `frames` as a packet of the attacker's under the id `dcid`, into `packet`; its length, or 0 where
 * the attacker's own endpoint has given up and forgotten the keys. */
static inline size_t attack_seal(struct attack *a, const struct skua_id *dcid,
                                 const uint8_t *frames, size_t len,
                                 uint8_t packet[ATTACK_PACKET_MAX])
{
    struct skua_connection *c = attack_conn(a->attacker);
    if (c == NULL || c->close.over) {
        return 0;
    }
    struct skua_writer w = skua_writer_of(packet, ATTACK_PACKET_MAX);
    skua_data_header_write(&w, dcid, a->pn, skua_keys_tx_bit(&c->keys));
    size_t header = skua_writer_len(&w);
    skua_writer_copy(&w, frames, len);
    SKUA_ASSERT(!w.failed);
    const struct skua_sealing sealing = {.data = packet,
                                         .header_len = header,
                                         .len = skua_writer_len(&w),
                                         .cap = ATTACK_PACKET_MAX,
                                         .pn = a->pn};
    size_t total = 0;
    if (!skua_packet_seal(&c->keys, c->env->cache, &sealing, &total)) {
        return 0;
    }
    a->pn++;
    return total;
}

/* A datagram for socket `socket` of the victim, as if it came from `from`. */
static inline void attack_deliver(struct attack *a, const struct skua_addr *from, unsigned socket,
                                  const uint8_t *bytes, size_t len)
{
    const struct skua_addr to = sim_addr(a->victim->host, socket);
    sim_inject(a->victim->host, from, &to, bytes, len, a->p.w->now);
}

#endif
