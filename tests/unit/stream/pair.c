/* See pair.h. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "stream/streams.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum {
    MAX_APP = 256,       /* streams that an application handles */
    MAX_FLIGHT = 48,     /* packets of a side in flight */
    MAX_LOANS = 4,       /* borrowed datagrams until settle */
    MAX_RECORDS = 16,    /* per packet */
    MTU = 700,           /* largest packet */
    MAX_MESSAGE = 40000, /* longest message */
    HEAL_TICKS = 60000,  /* until then everything has ended */
};

/* Memory lent for writing. */
struct lent {
    struct lent *next;
    uint64_t end;
    size_t len;
    uint8_t bytes[];
};

/* What an application knows of a stream. */
struct app {
    struct skua_stream *stream; /* NULL: closed */
    uint64_t id;
    uint64_t target;      /* bytes to write */
    uint64_t wrote, read; /* of a message stream, without the lengths */
    uint64_t messages_out, messages_in;
    uint64_t part; /* bytes read of the message at hand */
    bool unordered;
    bool finished, reset, stop_seen, saw_end, saw_reset, stopped;
    bool confirm, answered; /* CONSUMED or DISCARDED is to come; it has */
    struct lent *lent;
};

struct packet {
    uint64_t deliver_at, again_at, fate_at; /* UINT64_MAX = never */
    bool acked;                             /* its fate */
    size_t len, count;
    struct skua_record records[MAX_RECORDS];
    uint8_t data[MTU];
};

struct side {
    struct skua_streams streams;
    struct app apps[MAX_APP];
    size_t app_count;
    struct packet *flight[MAX_FLIGHT]; /* sent by this side; NULL = free */
    uint8_t *loans[MAX_LOANS];         /* datagrams that this side has borrowed */
    size_t loan_count;
    uint64_t totals_at; /* when our FIN arrives; UINT64_MAX = not yet sent */
    bool shut, discarded;
};

struct pair {
    struct skua_heap heap;
    struct skua_blocks blocks;
    struct side side[2];
    struct pair_source source;
    struct pair_summary *summary;
    uint64_t now; /* ticks */
    unsigned fail_at;
    uint32_t max_message;
    bool healing, dead;
};

uint32_t pair_pick(struct pair_source *source, uint32_t n)
{
    uint64_t v = 0;
    if (source->len >= 2) {
        v = (uint64_t)source->data[0] << 8 | source->data[1];
        source->data += 2;
        source->len -= 2;
    } else if (source->state != 0) {
        source->state += UINT64_C(0x9e3779b97f4a7c15);
        v = source->state;
        v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
        v ^= v >> 31;
    }
    return n == 0 ? 0 : (uint32_t)(v % n);
}

static uint32_t pick(struct pair *p, uint32_t n)
{
    return pair_pick(&p->source, n);
}

static uint8_t byte_of(uint64_t id, unsigned writer, uint64_t offset)
{
    return (uint8_t)(id * 131 + writer * 59 + offset * 7 + (offset >> 8) * 13);
}

static bool is_message(uint64_t id)
{
    return (id & 4) != 0;
}

/* Length of message `index`: mostly short, now and then none, or more than any window. */
static size_t message_len(uint64_t id, unsigned writer, uint64_t index)
{
    uint64_t h = (id * 31 + writer * 7 + index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    return h % 16 == 0   ? 0
           : h % 16 == 1 ? (size_t)(h >> 8) % MAX_MESSAGE
           : h % 16 < 5  ? (size_t)(h >> 8) % 3000
                         : (size_t)(h >> 8) % 100;
}

/* --- memory that runs out --- */

static void *get(void *user, size_t size)
{
    struct pair *p = user;
    p->summary->allocations++;
    if (p->fail_at != 0 && p->summary->allocations == p->fail_at) {
        return NULL;
    }
    return malloc(size);
}

static void put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

/* An operation that may fail for want of memory, and only where that was arranged. */
static bool ok(struct pair *p, enum skua_err err)
{
    if (err == SKUA_ENOMEM) {
        CHECK(p->fail_at != 0);
        p->dead = true;
    }
    return err == SKUA_OK;
}

static void expect_fine(struct pair *p, enum skua_code code)
{
    if (code == SKUA_CODE_MEMORY && p->fail_at != 0) {
        p->dead = true;
        return;
    }
    CHECK(code == SKUA_CODE_NO_ERROR);
}

/* --- the application --- */

static struct app *adopt(struct pair *p, unsigned me, struct skua_stream *stream)
{
    struct side *side = &p->side[me];
    CHECK(side->app_count < MAX_APP);
    struct app *app = &side->apps[side->app_count++];
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    app->stream = stream;
    app->id = info.id;
    app->finished = side->shut; /* our side of the peer's stream, after our shutdown */
    app->target = info.can_send ? pick(p, 4) == 0 ? pick(p, 60000) : pick(p, 3000) : 0;
    stream->handle = side->app_count;
    stream->user = app;
    p->summary->streams++;
    return app;
}

static struct app *find_app(struct side *side, uint64_t id)
{
    for (size_t i = 0; i < side->app_count; i++) {
        if (side->apps[i].id == id) {
            return &side->apps[i];
        }
    }
    return NULL;
}

static void free_lent(struct app *app, uint64_t acked)
{
    while (app->lent != NULL && app->lent->end <= acked) {
        struct lent *next = app->lent->next;
        memset(app->lent->bytes, 0xdd, app->lent->len);
        free(app->lent);
        app->lent = next;
    }
}

static void do_write(struct pair *p, unsigned me, struct app *app)
{
    uint8_t bytes[2000];
    size_t len = 1 + pick(p, (uint32_t)sizeof bytes);
    len = app->target - app->wrote < len ? (size_t)(app->target - app->wrote) : len;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_of(app->id, me, app->wrote + i);
    }
    size_t written = 0;
    bool more = pick(p, 4) == 0;
    enum skua_err err = skua_streams_write_more(app->stream, bytes, len, more, &written);
    p->summary->gathered += app->stream->send.gathers;
    CHECK(written <= len && (err == SKUA_OK || written == 0));
    (void)ok(p, err);
    app->wrote += written;
}

static void do_lend(struct pair *p, unsigned me, struct app *app)
{
    size_t len = 1 + pick(p, 9000);
    len = app->target - app->wrote < len ? (size_t)(app->target - app->wrote) : len;
    if (len == 0) {
        return;
    }
    struct lent *lent = malloc(sizeof *lent + len);
    CHECK(lent != NULL);
    *lent = (struct lent){.end = app->wrote + len, .len = len};
    for (size_t i = 0; i < len; i++) {
        lent->bytes[i] = byte_of(app->id, me, app->wrote + i);
    }
    if (!ok(p, skua_streams_lend(app->stream, lent->bytes, len))) {
        free(lent);
        return;
    }
    app->wrote += len;
    struct lent **at = &app->lent;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = lent;
}

static void read_checked(unsigned me, struct app *app, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        CHECK(bytes[i] == byte_of(app->id, 1 - me, app->read + i));
    }
    app->read += len;
}

/* --- messages --- */

static void do_send(struct pair *p, unsigned me, struct app *app)
{
    static uint8_t bytes[MAX_MESSAGE];
    size_t len = message_len(app->id, me, app->messages_out);
    if (app->wrote >= app->target) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_of(app->id, me, app->wrote + i);
    }
    if (ok(p, skua_streams_send_message(app->stream, bytes, len))) {
        app->wrote += len;
        app->messages_out++;
    }
}

/* `len` bytes of the message at hand were taken; `all`: no byte of it is left. */
static void message_taken(struct pair *p, unsigned me, struct app *app, size_t len)
{
    size_t whole = message_len(app->id, 1 - me, app->messages_in);
    app->part += len;
    CHECK(app->part <= whole);
    p->summary->bytes_read += len;
    if (app->part == whole) {
        p->summary->messages++;
        app->messages_in++;
        app->part = 0;
    }
}

static void note_end(struct pair *p, unsigned me, struct app *app, enum skua_err err);

/* A piece of the message at hand, by read or by peek and consume. */
static void do_piece(struct pair *p, unsigned me, struct app *app)
{
    uint8_t bytes[5000];
    struct skua_vec vec[4];
    size_t count = 1 + pick(p, 4);
    size_t got = 0;
    enum skua_err err;
    if (pick(p, 2) == 0) {
        err = skua_streams_read(app->stream, bytes, 1 + pick(p, sizeof bytes), &got);
        if (err == SKUA_OK) {
            read_checked(me, app, bytes, got);
        }
    } else {
        err = skua_streams_peek(app->stream, vec, &count);
        for (size_t i = 0; err == SKUA_OK && i < count; i++) {
            read_checked(me, app, vec[i].data, vec[i].len);
            got += vec[i].len;
        }
        CHECK(err != SKUA_OK || skua_streams_consume(app->stream, got) == SKUA_OK);
    }
    if (err != SKUA_OK) {
        note_end(p, me, app, err);
        return;
    }
    p->summary->pieces++;
    message_taken(p, me, app, got);
}

static void do_receive(struct pair *p, unsigned me, struct app *app)
{
    static uint8_t bytes[MAX_MESSAGE];
    size_t cap = p->healing ? sizeof bytes : pick(p, sizeof bytes);
    size_t len = 0;
    uint64_t left = message_len(app->id, 1 - me, app->messages_in) - app->part;
    enum skua_err err = skua_streams_recv_message(app->stream, bytes, cap, &len);
    if (err == SKUA_EMSGSIZE) {
        CHECK(len == left && (left > cap || left > p->max_message));
        do_piece(p, me, app);
    } else if (err == SKUA_OK) {
        CHECK(len == left && len <= cap);
        read_checked(me, app, bytes, len);
        message_taken(p, me, app, len);
    } else {
        note_end(p, me, app, err);
    }
}

/* The end that reading reported must be the one that the writer made. */
static void note_end(struct pair *p, unsigned me, struct app *app, enum skua_err err)
{
    const struct app *writer = find_app(&p->side[1 - me], app->id);
    if (err == SKUA_EOF) {
        /* A writer that never saw the stream (it came after its shutdown) wrote nothing. */
        CHECK(writer == NULL ? app->read == 0 : app->read == writer->wrote && writer->finished);
        CHECK(writer == NULL || (app->messages_in == writer->messages_out && app->part == 0));
        app->saw_end = true;
    } else if (err == SKUA_ERESET) {
        CHECK(writer != NULL && (writer->reset || app->stopped));
        app->saw_reset = true;
    } else {
        bool receives = (app->id & 2) == 0 || (app->id & 1) != me;
        CHECK(err == SKUA_EAGAIN || (err == SKUA_ESTATE && (app->stopped || !receives)));
    }
}

static void do_read(struct pair *p, unsigned me, struct app *app)
{
    uint8_t bytes[5000];
    size_t len = p->healing ? sizeof bytes : 1 + pick(p, (uint32_t)sizeof bytes);
    size_t got = 0;
    enum skua_err err = skua_streams_read(app->stream, bytes, len, &got);
    if (err != SKUA_OK) {
        note_end(p, me, app, err);
        return;
    }
    read_checked(me, app, bytes, got);
    p->summary->bytes_read += got;
}

static void do_peek(struct pair *p, unsigned me, struct app *app)
{
    struct skua_vec vec[8];
    size_t count = 1 + pick(p, 8);
    enum skua_err err = skua_streams_peek(app->stream, vec, &count);
    if (err != SKUA_OK) {
        note_end(p, me, app, err);
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = pick(p, 5) == 0 ? pick(p, (uint32_t)vec[i].len + 1) : vec[i].len;
        read_checked(me, app, vec[i].data, len);
        total += len;
        if (len != vec[i].len) {
            break;
        }
    }
    CHECK(skua_streams_consume(app->stream, total) == SKUA_OK);
    p->summary->bytes_read += total;
}

/* Of an unordered stream: pieces, wherever they belong. */
static void do_pieces(struct pair *p, unsigned me, struct app *app)
{
    uint8_t bytes[5000];
    struct skua_piece pieces[6];
    size_t count = 1;
    enum skua_err err;
    size_t total = 0;
    if (pick(p, 2) == 0) {
        pieces[0].data = bytes;
        err = skua_streams_read_piece(app->stream, bytes, 1 + pick(p, sizeof bytes),
                                      &pieces[0].offset, &pieces[0].len);
        total = pieces[0].len;
    } else {
        count = 1 + pick(p, 6);
        err = skua_streams_peek_pieces(app->stream, pieces, &count);
        for (size_t i = 0; err == SKUA_OK && i < count; i++) {
            total += pieces[i].len;
        }
        total = p->healing ? total : pick(p, (uint32_t)total + 1);
        CHECK(err != SKUA_OK || skua_streams_consume(app->stream, 0) == SKUA_OK);
    }
    if (err != SKUA_OK) {
        note_end(p, me, app, err);
        return;
    }
    uint64_t left = total;
    for (size_t i = 0; i < count && left != 0; i++) {
        size_t n = pieces[i].len < left ? pieces[i].len : (size_t)left;
        p->summary->unordered += pieces[i].offset != app->read;
        for (size_t k = 0; k < n; k++) {
            CHECK(pieces[i].data[k] == byte_of(app->id, 1 - me, pieces[i].offset + k));
        }
        left -= n;
    }
    app->read += total;
    p->summary->bytes_read += total;
    if (pieces[0].data != bytes) {
        CHECK(skua_streams_consume(app->stream, total) == SKUA_OK);
    }
}

/* In order, or as it was arranged. */
static void do_any_read(struct pair *p, unsigned me, struct app *app)
{
    if (app->unordered) {
        do_pieces(p, me, app);
    } else if (pick(p, 2) == 0) {
        do_read(p, me, app);
    } else {
        do_peek(p, me, app);
    }
}

static void do_close(struct pair *p, unsigned me, struct app *app)
{
    (void)p;
    (void)me;
    struct skua_stream_info info;
    skua_streams_info(app->stream, &info);
    if (info.can_send) {
        app->finished = true;
    }
    app->stopped = true;
    skua_streams_close(app->stream);
    app->stream = NULL;
}

static void do_finish(struct pair *p, struct app *app)
{
    bool confirm = pick(p, 3) == 0;
    enum skua_err err =
        confirm ? skua_streams_finish_confirm(app->stream) : skua_streams_finish(app->stream);
    if (err == SKUA_OK) {
        app->finished = true;
        app->confirm = app->confirm || confirm;
    }
}

/* One random act on one stream. */
static void act(struct pair *p, unsigned me, struct app *app)
{
    struct skua_stream_info info;
    skua_streams_info(app->stream, &info);
    uint32_t what = pick(p, 64);
    if (is_message(app->id) && what < 54) {
        if (what < 28) {
            do_send(p, me, app);
        } else if (what < 46) {
            do_receive(p, me, app);
        } else {
            do_piece(p, me, app);
        }
    } else if (what < 20) {
        do_write(p, me, app);
    } else if (what < 28) {
        do_lend(p, me, app);
    } else if (what < 53) {
        do_any_read(p, me, app);
    } else if (what < 54) {
        enum skua_err err = skua_streams_set_unordered(app->stream);
        CHECK(err == SKUA_OK || err == SKUA_ESTATE || err == SKUA_ERESET || err == SKUA_ENOMEM);
        app->unordered = app->unordered || ok(p, err);
    } else if (what < 56 || (app->wrote >= app->target && what < 60)) {
        do_finish(p, app);
    } else if (what == 60) {
        if (info.can_send || app->finished) {
            (void)skua_streams_reset(app->stream, 7);
            app->reset = true;
            free_lent(app, UINT64_MAX);
            p->summary->resets++;
        }
    } else if (what == 61) {
        if (skua_streams_stop(app->stream, 9) == SKUA_OK) {
            app->stopped = true;
            p->summary->stops++;
        }
    } else if (what == 62) {
        do_close(p, me, app);
    } else if (what == 63 && pick(p, 2) == 0) {
        (void)skua_streams_cork(app->stream, pick(p, 2) == 0);
    } else if (what == 63) {
        /* Without memory it keeps the priority that it had. */
        enum skua_err err = skua_streams_set_priority(app->stream, pick(p, 8), pick(p, 2) == 0);
        p->summary->priorities += err == SKUA_OK;
    }
}

/* What an application does that wants to come to an end. */
static void wind_up(struct pair *p, unsigned me, struct app *app)
{
    struct skua_stream_info info;
    skua_streams_info(app->stream, &info);
    if (info.can_send && app->wrote < app->target) {
        if (is_message(app->id)) {
            do_send(p, me, app);
        } else {
            do_write(p, me, app);
        }
    } else if (info.can_send) {
        do_finish(p, app);
    }
    if (p->dead) {
        return;
    }
    bool sends = (app->id & 2) == 0 || (app->id & 1) == me;
    bool receives = (app->id & 2) == 0 || (app->id & 1) != me;
    if (receives && !app->saw_end && !app->saw_reset && !app->stopped) {
        if (is_message(app->id)) {
            do_receive(p, me, app);
        } else {
            do_any_read(p, me, app);
        }
    }
    bool read_all = !receives || app->saw_end || app->saw_reset || app->stopped;
    bool awaits = app->confirm && !app->answered && !app->stream->send.given_up;
    if (read_all && (!sends || !info.can_send) && !awaits) {
        do_close(p, me, app);
    }
}

/* The peer says how far its application has read. */
static void note_answer(struct pair *p, unsigned me, struct app *app, enum skua_event_type type)
{
    const struct app *reader = find_app(&p->side[1 - me], app->id);
    uint64_t offset = app->stream->send.code;
    CHECK(app->confirm && !app->answered && !app->stream->send.given_up && app->lent == NULL);
    CHECK((type == SKUA_EVENT_CONSUMED) == (offset == app->stream->send.buf.end));
    bool in_order = !is_message(app->id) && (reader == NULL || !reader->unordered);
    CHECK(!in_order || (reader == NULL ? offset == 0 : offset == reader->read));
    CHECK(reader == NULL || reader->saw_end || reader->stopped || reader->stream == NULL);
    app->answered = true;
    p->summary->consumed += type == SKUA_EVENT_CONSUMED;
    p->summary->discarded += type == SKUA_EVENT_DISCARDED;
}

static void poll_events(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    struct skua_stream *stream;
    enum skua_event_type type;
    while (skua_streams_next_event(&side->streams, &stream, &type)) {
        if (type == SKUA_EVENT_STREAMS) {
            CHECK(stream == NULL);
            continue;
        }
        if (type == SKUA_EVENT_STREAM) {
            CHECK(stream->user == NULL && !side->discarded);
            (void)adopt(p, me, stream);
            continue;
        }
        struct app *app = stream->user;
        CHECK(app != NULL && app->stream == stream);
        if (type == SKUA_EVENT_ACKED) {
            struct skua_stream_info info;
            skua_streams_info(stream, &info);
            free_lent(app, info.acked);
        } else if (type == SKUA_EVENT_STOPPED) {
            CHECK(stream->send.code == 9 || (stream->send.code == 0 && p->side[!me].discarded));
            app->stop_seen = true;
            app->reset = true;
            free_lent(app, UINT64_MAX);
        } else if (type == SKUA_EVENT_CONSUMED || type == SKUA_EVENT_DISCARDED) {
            note_answer(p, me, app, type);
        }
    }
}

static void shut(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    skua_streams_finish_all(&side->streams);
    side->shut = true;
    for (size_t i = 0; i < side->app_count; i++) {
        struct app *app = &side->apps[i];
        if (app->stream != NULL) {
            struct skua_stream_info info;
            skua_streams_info(app->stream, &info);
            app->finished = app->finished || !app->reset;
            app->target = app->wrote;
        }
    }
    (void)p;
}

static void discard(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    poll_events(p, me);
    skua_streams_discard_all(&side->streams);
    side->discarded = true;
    for (size_t i = 0; i < side->app_count; i++) {
        side->apps[i].stopped = true;
    }
}

static void run_app(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    poll_events(p, me);
    if (!p->healing && !side->shut && side->app_count < MAX_APP / 4 && pick(p, 4) == 0) {
        struct skua_stream *stream;
        enum skua_err err = skua_streams_open(&side->streams, pick(p, 4), &stream);
        if (ok(p, err)) {
            struct app *app = adopt(p, me, stream);
            app->stopped = app->stopped || side->discarded;
        } else {
            CHECK(err == SKUA_EAGAIN || err == SKUA_ENOMEM);
            p->summary->blocked++;
        }
    }
    if (!p->healing && !side->shut && pick(p, 400) == 0) {
        shut(p, me);
    }
    if (!p->healing && !side->discarded && pick(p, 800) == 0) {
        discard(p, me);
    }
    unsigned acts = p->healing ? 0 : pick(p, 6);
    for (unsigned i = 0; i < acts && side->app_count != 0 && !p->dead; i++) {
        struct app *app = &side->apps[pick(p, (uint32_t)side->app_count)];
        if (app->stream != NULL) {
            act(p, me, app);
        }
    }
    bool open = false;
    for (size_t i = 0; p->healing && i < side->app_count && !p->dead; i++) {
        if (side->apps[i].stream != NULL) {
            wind_up(p, me, &side->apps[i]);
            open = open || !side->apps[i].finished;
        }
    }
    if (p->healing && !side->shut && !open) {
        shut(p, me);
    }
}

/* --- the channel --- */

static void dispatch(struct pair *p, struct skua_streams *s, const struct skua_frame *frame,
                     bool borrowed)
{
    enum skua_code code = SKUA_CODE_INTERNAL;
    switch ((enum skua_frame_type)frame->type) {
    case SKUA_FRAME_STREAM:
        code = skua_streams_on_stream(s, &frame->stream, borrowed);
        break;
    case SKUA_FRAME_RESET_STREAM:
        code = skua_streams_on_reset_stream(s, frame->reset_stream.id, frame->reset_stream.code,
                                            frame->reset_stream.final_size);
        break;
    case SKUA_FRAME_STOP_SENDING:
        code = skua_streams_on_stop_sending(s, frame->stop_sending.id, frame->stop_sending.code);
        break;
    case SKUA_FRAME_MAX_DATA:
        code = skua_streams_on_max_data(s, frame->max);
        break;
    case SKUA_FRAME_MAX_STREAM_DATA:
        code = skua_streams_on_max_stream_data(s, frame->stream_max.id, frame->stream_max.max);
        break;
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
        code =
            skua_streams_on_max_streams(s, frame->type == SKUA_FRAME_MAX_STREAMS_UNI, frame->max);
        break;
    case SKUA_FRAME_DATA_BLOCKED:
        code = skua_streams_on_data_blocked(s, frame->max);
        break;
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        code = skua_streams_on_stream_data_blocked(s, frame->stream_max.id, frame->stream_max.max);
        break;
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        code = skua_streams_on_streams_blocked(s, frame->type == SKUA_FRAME_STREAMS_BLOCKED_UNI,
                                               frame->max);
        break;
    case SKUA_FRAME_CONSUMED:
        code = skua_streams_on_consumed(s, frame->stream_end.id, frame->stream_end.offset);
        break;
    case SKUA_FRAME_CONFIRM_READ:
        code = skua_streams_on_confirm_read(s, frame->stream_end.id, frame->stream_end.offset);
        break;
    case SKUA_FRAME_PADDING:
    case SKUA_FRAME_PING:
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
    case SKUA_FRAME_FIN:
    case SKUA_FRAME_NEW_CONNECTION_ID:
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
    case SKUA_FRAME_FIN_ACK:
    case SKUA_FRAME_RST:
    case SKUA_FRAME_ACK_FREQUENCY:
    case SKUA_FRAME_DATAGRAM:
    case SKUA_FRAME_NEW_TOKEN:
        break;
    }
    expect_fine(p, code);
}

static void settle(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    (void)ok(p, skua_streams_settle(&side->streams));
    CHECK(!skua_streams_has_loans(&side->streams));
    for (size_t i = 0; i < side->loan_count; i++) {
        memset(side->loans[i], 0xdb, MTU);
        free(side->loans[i]);
    }
    side->loan_count = 0;
}

static void deliver(struct pair *p, unsigned to, const struct packet *packet)
{
    struct side *side = &p->side[to];
    bool borrowed = pick(p, 4) != 0;
    if (borrowed && side->loan_count == MAX_LOANS) {
        settle(p, to);
    }
    /* Exactly as long as the packet: a sanitizer sees a read beyond. */
    uint8_t *copy = malloc(MTU);
    CHECK(copy != NULL);
    memcpy(copy, packet->data, packet->len);
    struct skua_reader r = skua_reader_of(copy, packet->len);
    while (skua_reader_left(&r) != 0 && !p->dead) {
        struct skua_frame frame;
        CHECK(skua_frame_read(&r, &frame) == SKUA_CODE_NO_ERROR);
        dispatch(p, &side->streams, &frame, borrowed);
    }
    if (borrowed) {
        side->loans[side->loan_count++] = copy;
        p->summary->borrowed++;
    } else {
        memset(copy, 0xdb, MTU);
        free(copy);
    }
}

static void set_fates(struct pair *p, struct packet *packet)
{
    packet->deliver_at = p->now + 2 + pick(p, p->healing ? 2 : 12);
    packet->again_at = !p->healing && pick(p, 16) == 0 ? p->now + pick(p, 40) : UINT64_MAX;
    uint32_t luck = p->healing ? 100 : pick(p, 100);
    packet->acked = true;
    packet->fate_at = packet->deliver_at + 3;
    if (luck < 15) {
        packet->deliver_at = UINT64_MAX;
        packet->acked = false;
        packet->fate_at = p->now + 30;
        p->summary->lost_packets++;
    } else if (luck < 20) {
        /* It arrives, but the sender thinks that it was lost. */
        packet->acked = false;
        p->summary->spurious++;
    }
}

static void send_packets(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    bool flying = false;
    for (size_t i = 0; i < MAX_FLIGHT; i++) {
        if (side->flight[i] != NULL) {
            flying = true;
            continue;
        }
        if (!skua_streams_wants_send(&side->streams)) {
            continue;
        }
        struct packet *packet = calloc(1, sizeof *packet);
        CHECK(packet != NULL);
        size_t room = 60 + pick(p, MTU - 60);
        struct skua_writer w = skua_writer_of(packet->data, room);
        packet->count =
            skua_streams_write_frames(&side->streams, &w, packet->records, 1 + pick(p, MAX_RECORDS),
                                      8 * SKUA_MSEC, p->now * SKUA_MSEC);
        packet->len = skua_writer_len(&w);
        /* What says that it wants to send must have something to send. */
        CHECK(!w.failed && packet->count != 0 && packet->len != 0);
        set_fates(p, packet);
        side->flight[i] = packet;
        flying = true;
    }
    if (!flying && skua_streams_blocked(&side->streams) && p->now % 32 == 0) {
        skua_streams_repeat_blocked(&side->streams);
        CHECK(skua_streams_wants_send(&side->streams));
    }
}

static void move_packets(struct pair *p, unsigned from)
{
    struct side *side = &p->side[from];
    for (size_t i = 0; i < MAX_FLIGHT && !p->dead; i++) {
        struct packet *packet = side->flight[i];
        if (packet == NULL) {
            continue;
        }
        if (packet->deliver_at <= p->now) {
            packet->deliver_at = UINT64_MAX;
            deliver(p, 1 - from, packet);
        }
        if (packet->again_at <= p->now && !p->dead) {
            packet->again_at = UINT64_MAX;
            deliver(p, 1 - from, packet);
        }
        if (packet->fate_at <= p->now && !p->dead) {
            for (size_t k = 0; k < packet->count; k++) {
                if (packet->acked) {
                    skua_streams_on_acked(&side->streams, &packet->records[k]);
                } else {
                    skua_streams_on_lost(&side->streams, &packet->records[k]);
                }
            }
            packet->fate_at = UINT64_MAX;
        }
        if (packet->fate_at == UINT64_MAX && packet->deliver_at == UINT64_MAX &&
            packet->again_at == UINT64_MAX) {
            free(packet);
            side->flight[i] = NULL;
        }
    }
    CHECK(!skua_streams_cut(&side->streams));
    if (skua_streams_failed(&side->streams)) {
        CHECK(p->fail_at != 0);
        p->dead = true;
    }
}

/* Our FIN, which is not this floor's frame: its content travels here. */
static void exchange_totals(struct pair *p, unsigned me)
{
    struct side *side = &p->side[me];
    struct skua_streams_totals totals;
    if (!skua_streams_totals(&side->streams, &totals)) {
        return;
    }
    if (side->totals_at == UINT64_MAX) {
        side->totals_at = p->now + pick(p, 20);
    } else if (p->now >= side->totals_at) {
        expect_fine(p, skua_streams_set_peer_totals(&p->side[1 - me].streams, &totals));
    }
}

static bool is_over(const struct pair *p)
{
    for (unsigned me = 0; me < 2; me++) {
        const struct skua_streams *s = &p->side[me].streams;
        if (!skua_streams_peer_complete(s) || !skua_streams_all_sent_acked(s) ||
            skua_streams_next(s, NULL) != NULL || skua_streams_wants_send(s)) {
            return false;
        }
    }
    return true;
}

static void tick(struct pair *p)
{
    for (unsigned me = 0; me < 2 && !p->dead; me++) {
        run_app(p, me);
        send_packets(p, me);
        move_packets(p, me);
        if (!p->dead) {
            skua_streams_check(&p->side[me].streams);
            skua_streams_check(&p->side[1 - me].streams);
            exchange_totals(p, me);
            if (pick(p, 3) == 0) {
                settle(p, me);
            }
        }
    }
    p->now++;
}

/* --- a run --- */

static void start(struct pair *p, const struct pair_options *options)
{
    static const uint8_t hash_key[SKUA_MAP_KEY_LEN] = {1, 2, 3};
    skua_heap_init(&p->heap, &(struct skua_alloc){.get = get, .put = put, .user = p});
    skua_blocks_init(&p->blocks, &p->heap, SKUA_STREAM_BLOCK, 4);
    for (unsigned me = 0; me < 2; me++) {
        struct skua_streams_config config = {
            .is_server = me == 1,
            .heap = &p->heap,
            .blocks = &p->blocks,
            .hash_key = hash_key,
            .initial_max_data = options->window * 3 / 2,
            .initial_max_stream = options->window,
            .max_data_window = options->max_window * 2,
            .max_stream_window = options->max_window,
            .max_streams_bidi = options->max_streams,
            .max_streams_uni = options->max_streams,
            .max_message = options->max_message,
            .send_limit = 6000,
        };
        skua_streams_init(&p->side[me].streams, &config);
        skua_streams_set_packet_room(&p->side[me].streams, MTU);
        p->side[me].totals_at = UINT64_MAX;
    }
}

static void connect_sides(struct pair *p, const struct pair_options *options)
{
    struct skua_transport_params params = {
        .initial_max_data = options->window * 3 / 2,
        .initial_max_stream_data_bidi_local = options->window,
        .initial_max_stream_data_bidi_remote = options->window,
        .initial_max_stream_data_uni = options->window,
        .initial_max_streams_bidi = options->max_streams,
        .initial_max_streams_uni = options->max_streams,
    };
    skua_streams_set_peer_limits(&p->side[0].streams, &params);
    skua_streams_set_peer_limits(&p->side[1].streams, &params);
}

static void stop(struct pair *p)
{
    for (unsigned me = 0; me < 2; me++) {
        struct side *side = &p->side[me];
        skua_streams_deinit(&side->streams);
        for (size_t i = 0; i < side->app_count; i++) {
            free_lent(&side->apps[i], UINT64_MAX);
        }
        for (size_t i = 0; i < MAX_FLIGHT; i++) {
            free(side->flight[i]);
        }
        for (size_t i = 0; i < side->loan_count; i++) {
            free(side->loans[i]);
        }
    }
    CHECK(skua_blocks_in_use(&p->blocks) == 0);
    skua_blocks_deinit(&p->blocks);
    CHECK(p->heap.used == 0);
}

void pair_run(struct pair_source source, const struct pair_options *options,
              struct pair_summary *summary)
{
    struct pair *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->source = source;
    p->summary = summary;
    p->fail_at = options->fail_alloc;
    p->max_message = options->max_message < options->max_window ? options->max_message
                                                                : (uint32_t)options->max_window;
    summary->allocations = 0;
    start(p, options);
    /* A few acts before the handshake is done. */
    for (unsigned i = pick(p, 4); i > 0 && !p->dead; i--) {
        run_app(p, 0);
    }
    connect_sides(p, options);
    for (unsigned i = 0; i < options->ticks && !p->dead; i++) {
        tick(p);
    }
    p->healing = true;
    for (unsigned i = 0; i < HEAL_TICKS && !p->dead && !is_over(p); i++) {
        tick(p);
    }
    CHECK(p->dead || is_over(p));
    summary->ran_out = p->dead;
    stop(p);
    free(p);
}
