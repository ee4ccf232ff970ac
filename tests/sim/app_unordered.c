/* Unordered readers: see app.h. Each byte is checked where it belongs, and noted, so that none
 * comes twice. */
#include "app.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void sim_unordered_begin(struct sim_stream *s)
{
    struct sim_world *w = s->conn->app->world;
    if (!s->can_recv || s->carries_messages || !sim_rng_chance(&w->rng, s->conn->plan.unordered)) {
        return;
    }
    enum skua_err err = skua_stream_set_unordered(s->conn->host->ep, s->handle);
    if (err == SKUA_OK) {
        s->unordered = true;
        w->counts[SIM_COUNT_UNORDERED]++;
    } else { /* given up already, or stopped by the end of the connection */
        SIM_CHECK(w, err == SKUA_ERESET || err == SKUA_ESTATE || err == SKUA_ECLOSED);
    }
}

/* `len` bytes at `data` belong to `offset`. */
static void took(struct sim_stream *s, uint64_t offset, const uint8_t *data, size_t len)
{
    struct sim_world *w = s->conn->app->world;
    uint64_t end = offset + len;
    if (end > s->seen_room) {
        uint64_t room = s->seen_room == 0 ? 4096 : s->seen_room;
        while (room < end) {
            room *= 2;
        }
        s->seen = realloc(s->seen, (size_t)room);
        SKUA_ASSERT(s->seen != NULL);
        memset(s->seen + s->seen_room, 0, (size_t)(room - s->seen_room));
        s->seen_room = room;
    }
    uint64_t counted = s->read;
    s->read = offset;
    sim_stream_check(s, data, len);
    for (uint64_t i = offset; i < end; i++) {
        SIM_CHECK(w, s->seen[i] == 0);
        s->seen[i] = 1;
    }
    w->counts[SIM_COUNT_OUT_OF_ORDER] += offset > counted;
    s->read = counted + len;
    s->conn->delivered += len;
}

enum skua_err sim_unordered_take(struct sim_stream *s, size_t len)
{
    struct sim_app *app = s->conn->app;
    struct sim_world *w = app->world;
    struct skua_endpoint *ep = s->conn->host->ep;
    if (!sim_rng_chance(&w->rng, s->conn->plan.peek)) {
        uint64_t offset = 0;
        size_t n = 0;
        enum skua_err err = skua_stream_read_piece(ep, s->handle, app->scratch, len, &offset, &n);
        SIM_CHECK(w, n <= len && (err == SKUA_OK) == (n > 0));
        if (err == SKUA_OK) {
            took(s, offset, app->scratch, n);
        }
        return err;
    }
    struct skua_piece pieces[6];
    size_t count = (size_t)sim_rng_between(&w->rng, 1, 6);
    enum skua_err err = skua_stream_peek_pieces(ep, s->handle, pieces, &count);
    SIM_CHECK(w, (err == SKUA_OK) == (count > 0));
    size_t total = 0;
    for (size_t i = 0; i < count && total < len; i++) {
        size_t n = pieces[i].len < len - total ? pieces[i].len : len - total;
        SIM_CHECK(w, n > 0 && (i == 0 || pieces[i].offset > pieces[i - 1].offset));
        took(s, pieces[i].offset, pieces[i].data, n);
        total += n;
    }
    if (err == SKUA_OK) {
        SIM_CHECK(w, skua_stream_consume(ep, s->handle, total) == SKUA_OK);
    }
    return err;
}
