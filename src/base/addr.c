/* Addresses as text: "192.0.2.1:7582", "[2001:db8::1%3]:7582".
 *
 * IPv6 in the canonical form of RFC 5952: lower case, no leading zeros, the longest run of zero
 * groups (the first of equals, at least two) as "::", and an IPv4-mapped address with its last 32
 * bits dotted (§5 there). The scope is a number: names of interfaces need a system call. */
#include "base/addr.h"

#include "base/cursor.h"

enum { GROUPS = 8 }; /* 16-bit groups of an IPv6 address */

static void put_char(struct skua_writer *w, char c)
{
    skua_writer_u8(w, (uint8_t)c);
}

/* `value` in base 10 or 16 without leading zeros. */
static void put_number(struct skua_writer *w, uint32_t value, uint32_t base)
{
    char digits[10]; /* of 2^32 - 1 */
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0) {
        put_char(w, digits[--n]);
    }
}

static void put_ipv4(struct skua_writer *w, const uint8_t ip[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0) {
            put_char(w, '.');
        }
        put_number(w, ip[i], 10);
    }
}

/* The longest run of zero groups, the first of equals: its length, and its beginning in `*at`. */
static size_t longest_zeros(const uint16_t groups[GROUPS], size_t *at)
{
    size_t best = 0;
    for (size_t i = 0, run = 0; i < GROUPS; i++) {
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            *at = i + 1 - run;
        }
    }
    return best;
}

static void put_ipv6(struct skua_writer *w, const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(ip, mapped, sizeof mapped) == 0) {
        skua_writer_copy(w, "::ffff:", 7);
        put_ipv4(w, ip + 12);
        return;
    }
    uint16_t groups[GROUPS];
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i] = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
    }
    size_t zeros_at = GROUPS;
    size_t zeros = longest_zeros(groups, &zeros_at);
    /* RFC 5952 §4.2.2: a single zero group is written out. */
    size_t skip_from = zeros >= 2 ? zeros_at : GROUPS;
    for (size_t i = 0; i < GROUPS;) {
        if (i == skip_from) {
            skua_writer_copy(w, "::", 2);
            i += zeros;
            continue;
        }
        put_number(w, groups[i], 16);
        i++;
        if (i < GROUPS && i != skip_from) {
            put_char(w, ':');
        }
    }
}

void skua_addr_format(char out[SKUA_ADDR_TEXT_LEN], const struct skua_addr *addr)
{
    struct skua_writer w = skua_writer_of(out, SKUA_ADDR_TEXT_LEN);
    if (addr->family == SKUA_FAMILY_IPV4) {
        put_ipv4(&w, addr->ip);
    } else if (addr->family == SKUA_FAMILY_IPV6) {
        put_char(&w, '[');
        put_ipv6(&w, addr->ip);
        if (addr->scope != 0) {
            put_char(&w, '%');
            put_number(&w, addr->scope, 10);
        }
        put_char(&w, ']');
    } else {
        skua_writer_copy(&w, "unknown", 7);
    }
    put_char(&w, ':');
    put_number(&w, addr->port, 10);
    put_char(&w, '\0');
    SKUA_ASSERT(!w.failed);
}
