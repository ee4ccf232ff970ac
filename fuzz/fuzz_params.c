/* Transport parameters: what the reader accepts is within its ranges and survives being written and
 * read again. The first input byte says which side sent them. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A writer promises to fit only for stream counts that it would itself announce. */
static void fit_counts(struct skua_transport_params *t)
{
    if (t->initial_max_streams_bidi > SKUA_LIMIT_STREAMS_MAX) {
        t->initial_max_streams_bidi = SKUA_LIMIT_STREAMS_MAX;
    }
    if (t->initial_max_streams_uni > SKUA_LIMIT_STREAMS_MAX) {
        t->initial_max_streams_uni = SKUA_LIMIT_STREAMS_MAX;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum skua_params_from from =
        (data[0] & 1) != 0 ? SKUA_PARAMS_FROM_SERVER : SKUA_PARAMS_FROM_CLIENT;
    uint32_t grease = (uint32_t)data[0] << 20 | data[0];
    struct skua_params p, q;
    if (skua_params_read(data + 1, size - 1, from, &p) != SKUA_CODE_NO_ERROR) {
        return 0;
    }
    SKUA_ASSERT(p.label_len <= SKUA_LABEL_MAX && strlen(p.label) == p.label_len);
    SKUA_ASSERT(p.transport.max_udp_payload >= SKUA_LIMIT_UDP_MIN);
    fit_counts(&p.transport);
    uint8_t bytes[SKUA_LIMIT_PARAMS_MAX];
    struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
    skua_params_write(&w, &p, from, grease);
    SKUA_ASSERT(!w.failed);
    enum skua_code code = skua_params_read(bytes, skua_writer_len(&w), from, &q);
    SKUA_ASSERT(code == SKUA_CODE_NO_ERROR && memcmp(&p, &q, sizeof p) == 0);
    return 0;
}
