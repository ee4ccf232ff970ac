/* Operands of `skua cp` (remote.h). */
#include "remote.h"

#include <string.h>

static const char scheme[] = "skua://";

/* Takes HOST or [HOST] at the start of `text`, up to one of the characters `stop`; returns what
 * follows, or NULL. */
static const char *take_host(struct skua_operand *out, const char *text, const char *stop)
{
    const char *host = text;
    size_t len = 0;
    const char *rest = NULL;
    if (*text == '[') {
        host = text + 1;
        len = strcspn(host, "]");
        if (host[len] != ']') {
            return NULL;
        }
        rest = host + len + 1;
    } else {
        len = strcspn(host, stop);
        rest = host + len;
    }
    if (len == 0 || len >= sizeof out->host || memchr(host, '@', len) != NULL) {
        return NULL;
    }
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    return rest;
}

/* Takes digits up to '/' or the end. */
static const char *take_port(struct skua_operand *out, const char *text)
{
    unsigned long port = 0;
    size_t len = strspn(text, "0123456789");
    for (size_t i = 0; i < len && port <= UINT16_MAX; i++) {
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    if (len == 0 || port == 0 || port > UINT16_MAX) {
        return NULL;
    }
    out->port = (uint16_t)port;
    return text + len;
}

static bool parse_url(struct skua_operand *out, const char *text)
{
    const char *rest = take_host(out, text, ":/");
    if (rest != NULL && *rest == ':') {
        rest = take_port(out, rest + 1);
    }
    if (rest == NULL || (*rest != '/' && *rest != '\0')) {
        return false;
    }
    out->path = rest + strspn(rest, "/");
    return true;
}

static bool parse_scp(struct skua_operand *out, const char *text)
{
    const char *rest = take_host(out, text, ":");
    if (rest == NULL || *rest != ':') {
        return false;
    }
    /* The served folder is the root of all paths. */
    out->path = rest + 1 + strspn(rest + 1, "/");
    return true;
}

bool skua_operand_parse(struct skua_operand *out, const char *text, struct skua_why *why)
{
    *out = (struct skua_operand){.path = text};
    const bool url = strncmp(text, scheme, sizeof scheme - 1) == 0;
    const size_t head = strcspn(text, "/:");
    const bool brackets = text[0] == '[' && strstr(text, "]:") != NULL;
    if (!url && !brackets && text[head] != ':') {
        return true;
    }
    out->remote = true;
    if (url ? parse_url(out, text + sizeof scheme - 1) : parse_scp(out, text)) {
        return true;
    }
    skua_why_set(why, "\"%s\" is neither HOST:PATH nor skua://HOST[:PORT]/PATH%s", text,
                 strchr(text, '@') != NULL ? " (there are no user names: keys say who you are)"
                                           : "");
    return false;
}
