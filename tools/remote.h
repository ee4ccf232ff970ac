/* Operands of `skua cp`: a local path, HOST:PATH as scp has it, or skua://HOST[:PORT]/PATH. */
#ifndef SKUA_TOOLS_REMOTE_H
#define SKUA_TOOLS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "keys.h"

struct skua_operand {
    bool remote;
    char host[256];   /* name or numeric address without brackets; "" where local */
    uint16_t port;    /* 0 where the operand does not say */
    const char *path; /* in the text that was parsed; remote: without leading '/', maybe empty */
};

/* Reads one operand. Local are: what holds no ':' before its first '/', so that "./a:b" names a
 * file. IPv6 addresses stand in brackets in both remote forms. False and a reason for a remote form
 * that is malformed. */
bool skua_operand_parse(struct skua_operand *out, const char *text, struct skua_why *why);

#endif
