/* What tests of listeners share: see listen_tap.h. */
#include "listen_tap.h"

bool listen_tap(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct listen_tap *tap = pair->user;
    const bool wanted = from == tap->from && data[0] == SKUA_FIRST_BYTE(tap->type);
    const bool cancel = data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_REFUSE);
    if (wanted) {
        assert_true(len <= sizeof tap->bytes);
        tap->len = len;
        memcpy(tap->bytes, data, len);
    }
    return (wanted && tap->lost) || ((from == SERVER || cancel) && tap->mute);
}
