/* What is known of frames apart from their bytes: the table of frames.def, the walk over the ranges
 * of an ACK, and how much a STREAM frame can carry. */
#include "wire/frame.h"

#include "base/assert.h"

#define STATES(states) SKUA_FRAME_STATES_##states
#define AFTER(after)   SKUA_AFTER_FIN_##after

/* Indexed by type; types that do not exist have no name. */
static const struct skua_frame_info table[] = {
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text)                        \
    [type] = {#name, (eliciting) != 0, (confirm) != 0, AFTER(after_fin), STATES(states)},
#include "wire/frames.def"
#undef SKUA_FRAME
};

const struct skua_frame_info *skua_frame_info(uint64_t type)
{
    if (type >= SKUA_FRAME_STREAM && type <= (SKUA_FRAME_STREAM | 7)) {
        return &table[SKUA_FRAME_STREAM];
    }
    if (type == (SKUA_FRAME_DATAGRAM | SKUA_DATAGRAM_BIT_LEN)) {
        return &table[SKUA_FRAME_DATAGRAM];
    }
    if (type >= sizeof table / sizeof table[0] || table[type].name == NULL) {
        return NULL;
    }
    return &table[type];
}

bool skua_stream_frame_fit(size_t room, uint64_t id, uint64_t offset, size_t available, size_t *len,
                           bool *last)
{
    size_t bare = skua_stream_frame_header_len(id, offset, 0, true);
    *len = 0;
    *last = false;
    if (room < bare + (available != 0 ? 1u : 0u)) {
        return false;
    }
    size_t data_room = room - bare;
    if (available >= data_room) {
        *len = data_room;
        *last = true;
        return true;
    }
    /* More room than data: the length field takes its part. Where it does not fit beside all the
     * data, a few of them wait. */
    *len = available;
    while (skua_varint_len(*len) + *len > data_room) {
        (*len)--;
    }
    return *len != 0 || available == 0;
}

void skua_ack_iter_init(struct skua_ack_iter *iter, const struct skua_ack_frame *ack)
{
    *iter = (struct skua_ack_iter){.reader = skua_reader_of(ack->ranges, ack->ranges_len),
                                   .next_last = ack->largest,
                                   .left = ack->range_count};
}

bool skua_ack_iter_next(struct skua_ack_iter *iter, struct skua_range *range)
{
    if (iter->left == 0) {
        return false;
    }
    if (iter->started) {
        uint64_t gap = skua_reader_varint(&iter->reader);
        SKUA_ASSERT(iter->next_last >= gap + 2);
        iter->next_last -= gap + 2;
    }
    uint64_t len = skua_reader_varint(&iter->reader);
    SKUA_ASSERT(!iter->reader.failed && iter->next_last >= len);
    range->last = iter->next_last;
    range->first = iter->next_last - len;
    iter->next_last = range->first;
    iter->started = true;
    iter->left--;
    return true;
}

size_t skua_ack_frame_ranges(const struct skua_ack_frame *ack, struct skua_range *out, size_t cap)
{
    struct skua_ack_iter iter;
    skua_ack_iter_init(&iter, ack);
    size_t n = 0;
    while (n < cap && skua_ack_iter_next(&iter, &out[n])) {
        n++;
    }
    return n;
}
