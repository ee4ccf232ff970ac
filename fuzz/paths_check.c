/* The target of paths: what must hold. */
#include "fuzz_paths.h"

#include "base/addr.h"
#include "conn/internal.h"

/* What paths and ids may take, beside what was there and what the application asks for. */
enum { MEMORY_MORE = 50000 };

struct skua_addr paths_place(const struct walk *f, unsigned number)
{
    struct skua_addr addr = sim_addr(f->a.attacker->host, 0);
    number %= PLACES;
    if (number > 0 && number < 3) {
        addr.port = (uint16_t)(addr.port + 1000 * number);
    } else if (number >= 3) {
        addr.ip[0] = 192;
        addr.ip[3] = (uint8_t)number;
        addr.port = number == REFLECTOR ? 53 : addr.port;
    }
    return addr;
}

struct skua_connection *paths_victim(const struct walk *f)
{
    struct skua_connection *c = attack_conn(f->a.victim);
    return c != NULL && !c->close.over ? c : NULL;
}

static void note_sent(void *arg, struct sim_host *host, const struct skua_trace_event *e)
{
    struct walk *f = arg;
    if (e->type == SKUA_TRACE_PACKET_SENT && host == f->a.victim->host) {
        f->numbers[f->number_count++ % NUMBERS] = e->args[1];
    }
}

static void note_datagram(void *arg, struct sim_host *from, const struct sim_datagram *d,
                          struct sim_fate *fate)
{
    const struct walk *f = arg;
    const struct skua_addr server = sim_addr(f->a.p.server.host, 0);
    (void)fate;
    /* What is left of a connection that is over answers whoever asks. */
    if (from == f->a.p.client.host && from == f->a.victim->host && paths_victim(f) != NULL) {
        SIM_CHECK(f->a.p.w, skua_addr_equal(&d->to, &server));
    }
}

static void check_path(const struct walk *f, const struct skua_connection *c)
{
    bool found = false;
    for (unsigned i = 0; i < PLACES; i++) {
        const struct skua_addr addr = paths_place(f, i);
        found =
            found || (f->answered[i] && f->spoken[i] && skua_addr_equal(&addr, &c->path.remote));
    }
    SIM_CHECK(f->a.p.w, found);
    const struct skua_migration *m = c->migration;
    if (m != NULL && m->probing && m->probe.limited) {
        const struct skua_addr reflector = paths_place(f, REFLECTOR);
        SIM_CHECK(f->a.p.w, m->probe.proven || m->probe.out <= 3 * m->probe.in);
        SIM_CHECK(f->a.p.w, !skua_addr_equal(&reflector, &m->probe.path.remote));
    }
}

static void check_ids(const struct walk *f, const struct skua_connection *c)
{
    struct sim_world *w = f->a.p.w;
    const struct skua_ids *ids = &c->ids;
    struct skua_endpoint *ep = f->a.victim->host->ep;
    for (unsigned i = 0; i < SKUA_IDS_OWN; i++) {
        if (ids->own_state[i] != SKUA_OWN_NONE) {
            const struct skua_id own = skua_id_of(ids->own[i], SKUA_OWN_ID_LEN);
            SIM_CHECK(w, skua_demux_owner(ep, &own) == c);
            SIM_CHECK(w, i == 0 || ids->own_state[0] == SKUA_OWN_NONE ||
                             memcmp(ids->own[0], ids->own[i], SKUA_OWN_ID_LEN) != 0);
        }
    }
    bool known = false; /* to the peer: it always has one to call us by */
    for (unsigned i = 0; i < SKUA_IDS_OWN; i++) {
        known = known || ids->own_state[i] == SKUA_OWN_TOLD ||
                ids->own_state[i] == SKUA_OWN_LOST; /* it may have arrived all the same */
    }
    SIM_CHECK(w, known);
    const unsigned in_use = ids->peer_sequence >= ids->retire_prior;
    SIM_CHECK(w, ids->spare_count + in_use <= SKUA_LIMIT_ACTIVE_IDS);
    for (unsigned i = 0; i < ids->spare_count; i++) {
        SIM_CHECK(w, !skua_id_equal(&ids->spares[i].id, &ids->peer));
        for (unsigned k = 0; k < i; k++) {
            SIM_CHECK(w, !skua_id_equal(&ids->spares[i].id, &ids->spares[k].id));
            SIM_CHECK(w, ids->spares[i].sequence != ids->spares[k].sequence);
        }
    }
}

void paths_check(const struct walk *f)
{
    const struct skua_connection *c = paths_victim(f);
    SIM_CHECK(f->a.p.w, f->a.victim->host->heap.used <= f->memory + MEMORY_MORE);
    sim_oracle_turn(f->a.victim->host, true);
    if (c != NULL) {
        check_path(f, c);
        check_ids(f, c);
    }
}

void paths_watch(struct walk *f)
{
    f->a.p.w->tap.trace = note_sent;
    f->a.p.w->tap.sent = note_datagram;
    f->a.p.w->tap.arg = f;
}
