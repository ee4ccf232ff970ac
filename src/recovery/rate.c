/* Delivery rate: draft-cheng-iccrg-delivery-rate-estimation §3.
 *
 * Each packet in flight remembers how much had been delivered when it was sent. Its ACK then tells
 * how much was delivered meanwhile; the interval is the longer of the time it took to send that
 * much and the time it took to be acknowledged, so that neither ACK compression nor bursts
 * overstate the rate. */
#include "base/time.h"
#include "recovery/internal.h"

static uint32_t age_of(skua_time now, skua_time then)
{
    skua_time age = skua_time_sub(now, then) / SKUA_SENT_AGE_NS;
    return age > UINT32_MAX ? UINT32_MAX : (uint32_t)age;
}

void skua_rate_on_sent(struct skua_recovery *rec, struct skua_sent *entry, skua_time now)
{
    if (rec->bytes_in_flight == 0) {
        rec->first_sent_time = now;
        rec->delivered_time = now;
    }
    uint64_t in_flight = rec->bytes_in_flight + skua_sent_flight(entry);
    entry->u.stamp = (struct skua_sent_stamp){
        .delivered = rec->delivered,
        .delivered_age = age_of(now, rec->delivered_time),
        .first_sent_age = age_of(now, rec->first_sent_time),
        .in_flight = in_flight > UINT32_MAX ? UINT32_MAX : (uint32_t)in_flight,
        .lost = (uint32_t)rec->lost_total,
    };
    if (rec->app_limited_until != 0) {
        entry->flags |= SKUA_SENT_APP_LIMITED;
    }
}

/* `bytes` per `interval` (not 0), bytes per second, without overflow for any input. */
static uint64_t rate_of(uint64_t bytes, skua_time interval)
{
    if (bytes <= UINT64_MAX / SKUA_SEC) {
        return bytes * SKUA_SEC / interval;
    }
    uint64_t whole = bytes / interval;
    return whole > UINT64_MAX / SKUA_SEC ? UINT64_MAX : whole * SKUA_SEC;
}

void skua_rate_sample(struct skua_recovery *rec, const struct skua_sent *newest, skua_time now,
                      struct skua_rate_sample *out)
{
    if (rec->app_limited_until != 0 && rec->delivered > rec->app_limited_until) {
        rec->app_limited_until = 0;
    }
    const struct skua_sent_stamp *stamp = &newest->u.stamp;
    skua_time send_elapsed = (skua_time)stamp->first_sent_age * SKUA_SENT_AGE_NS;
    skua_time ack_elapsed = skua_time_add(skua_time_sub(now, newest->time_sent),
                                          (skua_time)stamp->delivered_age * SKUA_SENT_AGE_NS);
    skua_time interval = skua_time_max(send_elapsed, ack_elapsed);
    rec->first_sent_time = newest->time_sent;
    /* An interval below the minimum RTT is a measuring error. */
    if (interval == 0 || (skua_rtt_is_known(&rec->rtt) && interval < rec->rtt.min)) {
        return;
    }
    uint64_t bytes = rec->delivered - stamp->delivered;
    *out = (struct skua_rate_sample){
        .valid = true,
        .app_limited = (newest->flags & SKUA_SENT_APP_LIMITED) != 0,
        .bytes_per_s = rate_of(bytes, interval),
        .bytes = bytes,
        .interval_ns = interval,
        .delivered = rec->delivered,
        .prior_delivered = stamp->delivered,
        .tx_in_flight = stamp->in_flight,
        .lost = (uint32_t)((uint32_t)rec->lost_total - stamp->lost),
    };
}
