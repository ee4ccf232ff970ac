/* The control stream (file_control.h). */
#include "file_control.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 4096 };

void skua_file_control_init(struct skua_file_control *control, struct skua_endpoint *ep)
{
    *control = (struct skua_file_control){.ep = ep};
}

void skua_file_control_deinit(struct skua_file_control *control)
{
    free(control->out);
    free(control->in);
    *control = (struct skua_file_control){.ep = control->ep};
}

/* Makes room for `len` more bytes behind `used`. */
static bool reserve(uint8_t **buffer, size_t *room, size_t used, size_t len)
{
    size_t want = *room < ROOM_MIN ? ROOM_MIN : *room;
    while (want - used < len) {
        want *= 2;
    }
    if (want == *room) {
        return true;
    }
    uint8_t *grown = realloc(*buffer, want);
    if (grown == NULL) {
        return false;
    }
    *buffer = grown;
    *room = want;
    return true;
}

size_t skua_file_control_queued(const struct skua_file_control *control)
{
    return control->out_len - control->out_at;
}

bool skua_file_control_flush(struct skua_file_control *control)
{
    while (control->out_at < control->out_len) {
        size_t written = 0;
        const enum skua_err err =
            skua_stream_write(control->ep, control->stream, control->out + control->out_at,
                              control->out_len - control->out_at, &written);
        if (err == SKUA_EAGAIN) {
            return true;
        }
        if (err != SKUA_OK) {
            return false;
        }
        control->out_at += written;
    }
    control->out_at = 0;
    control->out_len = 0;
    return true;
}

bool skua_file_control_send(struct skua_file_control *control, const uint8_t *record, size_t len)
{
    if (control->out_at > 0 && control->out_room - control->out_len < len) {
        memmove(control->out, control->out + control->out_at, skua_file_control_queued(control));
        control->out_len -= control->out_at;
        control->out_at = 0;
    }
    if (len == 0 || !reserve(&control->out, &control->out_room, control->out_len, len)) {
        return false;
    }
    memcpy(control->out + control->out_len, record, len);
    control->out_len += len;
    return skua_file_control_flush(control);
}

/* Calls the handler for each whole record in `in`. */
static bool handle_records(struct skua_file_control *control, skua_file_control_handler *handler,
                           void *user)
{
    size_t at = 0;
    while (control->in_len - at >= SKUA_FILE_HEAD_LEN) {
        enum skua_file_record type = SKUA_FILE_REQUEST;
        size_t len = 0;
        if (!skua_file_get_head(control->in + at, true, &type, &len)) {
            return false;
        }
        if (control->in_len - at - SKUA_FILE_HEAD_LEN < len) {
            break;
        }
        if (!handler(user, type, control->in + at + SKUA_FILE_HEAD_LEN, len)) {
            return false;
        }
        at += SKUA_FILE_HEAD_LEN + len;
    }
    memmove(control->in, control->in + at, control->in_len - at);
    control->in_len -= at;
    return true;
}

bool skua_file_control_read(struct skua_file_control *control, skua_file_control_handler *handler,
                            void *user)
{
    /* A record's head was checked before more of its body is read, so `in` stays within the largest
     * record and one reading step. */
    for (;;) {
        size_t got = 0;
        if (!reserve(&control->in, &control->in_room, control->in_len, ROOM_MIN)) {
            return false;
        }
        const enum skua_err err =
            skua_stream_read(control->ep, control->stream, control->in + control->in_len,
                             control->in_room - control->in_len, &got);
        if (err == SKUA_EAGAIN || err == SKUA_EOF) {
            return err == SKUA_EAGAIN || control->in_len == 0;
        }
        if (err != SKUA_OK) {
            return false;
        }
        control->in_len += got;
        if (!handle_records(control, handler, user)) {
            return false;
        }
    }
}
