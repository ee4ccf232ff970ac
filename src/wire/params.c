/* Transport parameters, RFC 9000 §18 in shape: the integers from the table params.def, the
 * others by hand. */
#include "wire/params.h"

#include "base/assert.h"

void skua_params_init(struct skua_params *params)
{
    *params = (struct skua_params){.transport = {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) .member = (preset),
#include "wire/params.def"
#undef SKUA_PARAM
                                   }};
}

/* The one varint that is all of a value. */
static bool read_int(struct skua_reader *value, uint64_t minimum, uint64_t maximum, uint64_t *out)
{
    *out = skua_reader_varint(value);
    return !value->failed && skua_reader_left(value) == 0 && *out >= minimum && *out <= maximum;
}

static bool read_versions(struct skua_reader *value, struct skua_params *out)
{
    if (skua_reader_left(value) == 0 || skua_reader_left(value) % 4 != 0) {
        return false;
    }
    while (skua_reader_left(value) != 0) {
        uint32_t version = skua_reader_u32(value);
        if (out->version_count < SKUA_PARAM_VERSIONS_MAX) {
            out->versions[out->version_count++] = version;
        }
    }
    return true;
}

static bool read_label(struct skua_reader *value, struct skua_params *out)
{
    size_t len = skua_reader_left(value);
    if (len == 0 || len > SKUA_LABEL_MAX || memchr(value->at, 0, len) != NULL) {
        return false;
    }
    out->label_len = (uint8_t)len;
    skua_reader_copy(value, out->label, len);
    return true;
}

static bool read_initial_scid(struct skua_reader *value, struct skua_params *out)
{
    size_t len = skua_reader_left(value);
    if (!skua_id_len_ok(len)) {
        return false;
    }
    out->initial_scid = skua_id_of(value->at, len);
    return true;
}

static bool read_reset_token(struct skua_reader *value, struct skua_params *out)
{
    out->has_reset_token = skua_reader_left(value) == sizeof out->reset_token;
    if (out->has_reset_token) {
        skua_reader_copy(value, out->reset_token, sizeof out->reset_token);
    }
    return out->has_reset_token;
}

/* A bit for each known id, 0 for others: to find repeats. */
static uint64_t known_bit(uint64_t id)
{
    switch (id) {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) case SKUA_PARAM_##name:
#include "wire/params.def"
#undef SKUA_PARAM
    case SKUA_PARAM_RESET_TOKEN:
    case SKUA_PARAM_INITIAL_SCID:
    case SKUA_PARAM_VERSIONS:
    case SKUA_PARAM_LABEL:
    case SKUA_PARAM_EARLY_DATA:
        return UINT64_C(1) << id;
    default:
        return 0;
    }
}

/* A size that is kept in 16 bits: what is larger than `most` counts as that. */
static bool read_cut(struct skua_reader *value, uint64_t minimum, uint16_t most, uint16_t *out)
{
    uint64_t v;
    bool ok = read_int(value, minimum, SKUA_VARINT_MAX, &v);
    *out = v < most ? (uint16_t)v : most;
    return ok;
}

/* One parameter's value; unknown ids are passed over. */
static bool read_param(uint64_t id, struct skua_reader *value, enum skua_params_from from,
                       struct skua_params *out)
{
    uint64_t v;
    switch (id) {
    case SKUA_PARAM_MAX_UDP_PAYLOAD:
        return read_cut(value, SKUA_LIMIT_UDP_MIN, SKUA_LIMIT_UDP_MAX,
                        &out->transport.max_udp_payload);
    case SKUA_PARAM_MAX_DATAGRAM_FRAME_SIZE:
        return read_cut(value, 0, UINT16_MAX, &out->transport.max_datagram_frame_size);
    case SKUA_PARAM_ACTIVE_ID_LIMIT: {
        bool ok = read_int(value, 2, SKUA_VARINT_MAX, &v);
        out->transport.active_id_limit =
            (uint8_t)(v > SKUA_LIMIT_ACTIVE_IDS ? SKUA_LIMIT_ACTIVE_IDS : v);
        return ok;
    }
    case SKUA_PARAM_RESET_TOKEN:
        return from == SKUA_PARAMS_FROM_SERVER && read_reset_token(value, out);
    case SKUA_PARAM_INITIAL_SCID:
        return from == SKUA_PARAMS_FROM_SERVER && read_initial_scid(value, out);
    case SKUA_PARAM_VERSIONS:
        return from == SKUA_PARAMS_FROM_SERVER && read_versions(value, out);
    case SKUA_PARAM_LABEL:
        return from == SKUA_PARAMS_FROM_CLIENT && read_label(value, out);
    case SKUA_PARAM_EARLY_DATA:
        out->early_data = true;
        return skua_reader_left(value) == 0;
    default:
        break;
    }
#define SKUA_PARAM(name, number, type, member, minimum, maximum, preset, text)                     \
    if (id == SKUA_PARAM_##name) {                                                                 \
        bool ok = read_int(value, minimum, maximum, &v);                                           \
        out->transport.member = (type)v;                                                           \
        return ok;                                                                                 \
    }
#include "wire/params.def"
#undef SKUA_PARAM
    return true;
}

enum skua_code skua_params_read(const uint8_t *data, size_t len, enum skua_params_from from,
                                struct skua_params *out)
{
    skua_params_init(out);
    if (len > SKUA_LIMIT_PARAMS_MAX) {
        return SKUA_CODE_PARAMETER;
    }
    struct skua_reader r = skua_reader_of(data, len);
    uint64_t seen = 0;
    while (skua_reader_left(&r) != 0) {
        uint64_t id = skua_reader_varint(&r);
        uint64_t value_len = skua_reader_varint(&r);
        if (r.failed || value_len > skua_reader_left(&r) || (seen & known_bit(id)) != 0) {
            return SKUA_CODE_PARAMETER;
        }
        seen |= known_bit(id);
        struct skua_reader value = skua_reader_of(r.at, (size_t)value_len);
        (void)skua_reader_bytes(&r, (size_t)value_len);
        if (!read_param(id, &value, from, out)) {
            return SKUA_CODE_PARAMETER;
        }
    }
    bool complete = from == SKUA_PARAMS_FROM_CLIENT || out->initial_scid.len != 0;
    return complete ? SKUA_CODE_NO_ERROR : SKUA_CODE_PARAMETER;
}

static void write_int(struct skua_writer *w, uint64_t id, uint64_t value)
{
    skua_writer_varint(w, id);
    skua_writer_varint(w, skua_varint_len(value));
    skua_writer_varint(w, value);
}

static void write_bytes(struct skua_writer *w, uint64_t id, const void *data, size_t len)
{
    skua_writer_varint(w, id);
    skua_writer_varint(w, len);
    skua_writer_copy(w, data, len);
}

static void write_versions(struct skua_writer *w, const struct skua_params *params)
{
    SKUA_ASSERT(params->version_count <= SKUA_PARAM_VERSIONS_MAX);
    if (params->version_count == 0) {
        return;
    }
    skua_writer_varint(w, SKUA_PARAM_VERSIONS);
    skua_writer_varint(w, 4u * params->version_count);
    for (size_t i = 0; i < params->version_count; i++) {
        skua_writer_u32(w, params->versions[i]);
    }
}

/* One parameter of the reserved kind (RFC 9000 §18.1), made of the random `grease`. */
static void write_grease(struct skua_writer *w, uint32_t grease)
{
    uint64_t id = 31u * (grease % 500u) + 27u;
    uint8_t value[2] = {(uint8_t)(grease >> 16), (uint8_t)(grease >> 8)};
    write_bytes(w, id, value, grease >> 24 & 1u ? 2 : 1);
}

void skua_params_write(struct skua_writer *w, const struct skua_params *params,
                       enum skua_params_from from, uint32_t grease)
{
    const uint8_t *begin = w->at;
    const struct skua_transport_params *t = &params->transport;
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text)                         \
    if (t->member != (preset)) {                                                                   \
        write_int(w, SKUA_PARAM_##name, t->member);                                                \
    }
#include "wire/params.def"
#undef SKUA_PARAM
    if (params->early_data) {
        write_bytes(w, SKUA_PARAM_EARLY_DATA, NULL, 0);
    }
    if (from == SKUA_PARAMS_FROM_SERVER) {
        write_bytes(w, SKUA_PARAM_INITIAL_SCID, params->initial_scid.bytes,
                    params->initial_scid.len);
        if (params->has_reset_token) {
            write_bytes(w, SKUA_PARAM_RESET_TOKEN, params->reset_token, sizeof params->reset_token);
        }
        write_versions(w, params);
    } else if (params->label_len != 0) {
        write_bytes(w, SKUA_PARAM_LABEL, params->label, params->label_len);
    }
    enum { GREASE_MAX = 2 + 1 + 2 };
    if (grease != 0 && (size_t)(w->at - begin) + GREASE_MAX <= SKUA_LIMIT_PARAMS_MAX) {
        write_grease(w, grease);
    }
    SKUA_ASSERT((size_t)(w->at - begin) <= SKUA_LIMIT_PARAMS_MAX);
}
