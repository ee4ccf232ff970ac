/* See ladder.h. A line is: client's time | lane | server's time. A packet stands where it left; at
 * the other end of its arrow is the time at which it arrived. */
#include "ladder.h"

#include <stdarg.h>
#include <string.h>

#include "base/verdict.h"
#include "wire/frame.h"

enum { LANE = 70, TEXT_MAX = 512, TIME_WIDTH = 9, LINES_MAX = 300 };

/* Text that grows in a buffer of fixed size; what does not fit is cut off. */
struct text {
    size_t len;
    char s[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->s + t->len, sizeof t->s - t->len, format, args);
    va_end(args);
    size_t left = sizeof t->s - 1 - t->len;
    t->len += n < 0 ? 0 : ((size_t)n < left ? (size_t)n : left);
}

/* Milliseconds, with as many digits as they need. */
static void put_time(struct text *t, skua_time at)
{
    unsigned long long ms = at / SKUA_MSEC, us = at % SKUA_MSEC / SKUA_USEC;
    if (us == 0) {
        put(t, "%llu", ms);
    } else {
        put(t, "%llu.%03llu", ms, us);
    }
}

/* --- what a packet carries --- */

static void put_frame(struct text *t, const struct wire_frame *f)
{
    unsigned long long a = f->a, b = f->b, c = f->c;
    const struct skua_frame_info *info = skua_frame_info(f->type);
    const char *name = info != NULL ? info->name : "?";
    switch (f->type) {
    case STREAM:
    case STREAM_END:
        put(t, "STREAM %llu [%llu,%llu)%s", a, b, b + c, f->type == STREAM_END ? " end" : "");
        break;
    case ACK:
    case ACK_ECN:
        if (a == b) {
            put(t, "ACK %llu", a);
        } else {
            put(t, "ACK %llu-%llu", b, a);
        }
        if (c > 1) {
            put(t, " +%llu", c - 1);
        }
        break;
    case MAX_DATA:
    case MAX_STREAMS_BIDI:
    case MAX_STREAMS_UNI:
    case DATA_BLOCKED:
    case STREAMS_BLOCKED_BIDI:
    case STREAMS_BLOCKED_UNI:
        put(t, "%s %llu", name, a);
        break;
    case MAX_STREAM_DATA:
    case STREAM_DATA_BLOCKED:
    case RESET_STREAM:
    case STOP_SENDING:
    case CONSUMED:
    case CONFIRM_READ:
        put(t, "%s %llu: %llu", name, a, b);
        break;
    case DATAGRAM:
        put(t, "%s (%llu)", name, a);
        break;
    case FIN:
        put(t, "%s %llu+%llu:%llu", name, a, b, c);
        break;
    case RST:
        put(t, "%s %llu", name, b);
        break;
    default:
        put(t, "%s", name);
        break;
    }
}

static void put_packet(struct text *t, const struct packet *p)
{
    static const char *const names[] = {"SYN", "SYN_ACK", "CONFIRM", "RETRY", "REFUSE", "VERSIONS"};
    if (p->injected) {
        put(t, "injected (%zu)", p->size);
        return;
    }
    const char *other = p->kind == RESET ? "RESET" : "DATA";
    put(t, "%s", p->kind < sizeof names / sizeof names[0] ? names[p->kind] : other);
    if (p->pn != UINT64_MAX) {
        put(t, " %llu", (unsigned long long)p->pn);
    }
    put(t, " (%zu)", p->size);
    if (p->sealed_before) {
        put(t, " the last packet again");
    }
    for (unsigned i = 0; i < p->frame_count; i++) {
        put(t, "%s", i == 0 ? " " : ", ");
        put_frame(t, &p->frames[i]);
    }
}

static void put_peer(struct text *t, const struct packet *p)
{
    if (p->peer.family != SKUA_FAMILY_NONE) {
        char address[SKUA_ADDR_TEXT_LEN];
        skua_addr_format(address, &p->peer);
        put(t, " %s %s", p->injected ? "from" : "to", address);
    }
}

/* --- lines --- */

static void put_line(FILE *out, const char *left, const char *lane, const char *right)
{
    struct text line = {.len = 0};
    put(&line, "%*s |%s| %s", TIME_WIDTH, left, lane, right);
    while (line.len > 0 && line.s[line.len - 1] == ' ') {
        line.s[--line.len] = '\0';
    }
    (void)fprintf(out, "%s\n", line.s);
}

/* `text` at the beginning or end of a lane, the rest filled. */
static void fill_lane(char lane[LANE + 1], const char *text, bool to_the_left, char filler)
{
    size_t len = strlen(text);
    len = len < LANE - 8 ? len : LANE - 8;
    memset(lane, filler, LANE);
    lane[LANE] = '\0';
    memcpy(to_the_left ? lane + 3 : lane + LANE - 3 - len, text, len);
    lane[to_the_left ? 2 : LANE - 3 - len - 1] = ' ';
    lane[to_the_left ? 3 + len : LANE - 3] = ' ';
}

/* At the point of the arrow: why it was not taken, that a later one came first, or
 * that it met congestion. */
static void mark_end(char lane[LANE + 1], const struct packet *p, bool rightward, unsigned copy)
{
    struct text mark = {.len = 0};
    const char *verdict = skua_verdict_name(p->verdict[copy]);
    if (p->verdict[copy] != SKUA_VERDICT_OK) {
        put(&mark, "[%s]", verdict != NULL ? verdict : "?");
    } else if (p->late && copy == 0) {
        put(&mark, "[late]");
    } else if (p->marked) {
        put(&mark, "[CE]");
    }
    size_t len = mark.len < LANE / 2 ? mark.len : LANE / 2;
    memcpy(rightward ? lane + LANE - 2 - len : lane + 2, mark.s, len);
    lane[rightward ? LANE - 1 : 0] = rightward ? '>' : '<';
}

static void draw_arrow(FILE *out, const struct packet *p, const char *text, bool rightward,
                       unsigned copy)
{
    char lane[LANE + 1];
    struct text there = {.len = 0}, here = {.len = 0};
    char filler = p->injected ? '=' : (p->damaged && copy == 0 ? '~' : '-');
    fill_lane(lane, text, rightward, filler);
    if (p->copies == 0) { /* it ends in the middle of nowhere */
        size_t end = strlen(text) + 8 < LANE - 12 ? LANE - 12 : LANE - 4;
        memset(rightward ? lane + end : lane, ' ', LANE - end);
        lane[rightward ? end : LANE - end - 1] = 'X';
    } else {
        mark_end(lane, p, rightward, copy);
        put_time(&there, p->arrived[copy]);
    }
    if (copy == 0 && !p->injected) {
        put_time(&here, p->at);
    }
    put_line(out, rightward ? here.s : there.s, lane, rightward ? there.s : here.s);
}

static void draw_packet(FILE *out, const struct packet *p, bool rightward)
{
    struct text text = {.len = 0};
    put_packet(&text, p);
    put_peer(&text, p);
    draw_arrow(out, p, text.s, rightward, 0);
    if (p->copies > 1) {
        draw_arrow(out, p, "the same again", rightward, 1);
    }
}

static void draw_note(FILE *out, const struct ladder_event *e, bool left)
{
    char lane[LANE + 1];
    struct text at = {.len = 0};
    put_time(&at, e->at);
    fill_lane(lane, e->note, left, ' ');
    put_line(out, left ? at.s : "", lane, left ? "" : at.s);
}

void ladder_draw(FILE *out, const struct ladder_event *events, size_t count,
                 const struct side *left)
{
    char lane[LANE + 1];
    fill_lane(lane, "client", true, ' ');
    memcpy(lane + LANE - 9, "server", 6);
    put_line(out, "ms", lane, "ms");
    size_t first = count > LINES_MAX ? count - LINES_MAX : 0;
    if (first > 0) {
        (void)fprintf(out, "%*s  (%zu lines before)\n", TIME_WIDTH, "", first);
    }
    for (size_t i = first; i < count; i++) {
        bool at_left = events[i].side == left;
        if (events[i].is_packet) {
            draw_packet(out, &events[i].packet, at_left);
        } else {
            draw_note(out, &events[i], at_left);
        }
    }
}
