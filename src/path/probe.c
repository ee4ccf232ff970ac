/* Validation of one path: see probe.h. */
#include "path/probe.h"

#include "base/limits.h"
#include "base/time.h"

enum { AMPLIFICATION = 3, LARGE = SKUA_LIMIT_UDP_MIN };

void skua_probe_start(struct skua_probe *probe, const struct skua_path *path, bool limited,
                      skua_time pto, skua_time now)
{
    skua_time patience = skua_time_max(skua_time_mul(pto, 3), SKUA_PROBE_PATIENCE_NS);
    *probe = (struct skua_probe){
        .path = *path,
        .next_at = now,
        .interval_ns = pto,
        .end_at = skua_time_add(now, patience),
        .limited = limited,
    };
    for (unsigned i = 0; i < SKUA_PROBE_CHALLENGES; i++) {
        probe->sent[i].sent_at = SKUA_NEVER;
    }
}

uint32_t skua_probe_room(const struct skua_probe *probe)
{
    if (!probe->limited || probe->proven) {
        return UINT32_MAX;
    }
    uint64_t allowed = AMPLIFICATION * probe->in;
    uint64_t left = allowed > probe->out ? allowed - probe->out : 0;
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX - 1;
}

uint32_t skua_probe_size(const struct skua_probe *probe, uint32_t least, skua_time now)
{
    uint32_t room = skua_probe_room(probe);
    if (probe->next_at > now || room < least) {
        return 0;
    }
    return room < LARGE ? room : LARGE;
}

void skua_probe_on_sent(struct skua_probe *probe, uint32_t size, bool challenge, uint64_t data,
                        skua_time now)
{
    probe->out += size;
    if (!challenge) {
        return;
    }
    probe->sent[probe->count++ % SKUA_PROBE_CHALLENGES] =
        (struct skua_challenge){.data = data, .sent_at = now, .large = size >= LARGE};
    probe->next_at = skua_time_add(now, probe->interval_ns);
    probe->interval_ns = skua_time_mul(probe->interval_ns, 2);
}

enum skua_probe_result skua_probe_on_response(struct skua_probe *probe, uint64_t data,
                                              skua_time *rtt, skua_time now)
{
    for (unsigned i = 0; i < SKUA_PROBE_CHALLENGES; i++) {
        const struct skua_challenge *c = &probe->sent[i];
        if (c->sent_at == SKUA_NEVER || c->data != data) {
            continue;
        }
        *rtt = skua_time_sub(now, c->sent_at);
        bool news = !probe->proven;
        probe->proven = true;
        if (c->large) {
            probe->next_at = SKUA_NEVER;
            return SKUA_PROBE_DONE;
        }
        if (news) {
            probe->next_at = now;
        }
        return SKUA_PROBE_SMALL;
    }
    return SKUA_PROBE_NOTHING;
}

skua_time skua_probe_deadline(const struct skua_probe *probe, uint32_t least)
{
    bool possible = skua_probe_room(probe) >= least;
    return possible ? skua_time_min(probe->next_at, probe->end_at) : probe->end_at;
}
