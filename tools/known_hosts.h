/* Keys of servers seen before: lines "HOST:PORT KEY" (IPv6 addresses in brackets), '#' comments. */
#ifndef SKUA_TOOLS_KNOWN_HOSTS_H
#define SKUA_TOOLS_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "keys.h"

/* Room for "[HOST]:PORT". */
#define SKUA_HOST_TEXT_LEN 272

/* The name under which a server is remembered: lower case. */
void skua_known_host_name(char out[SKUA_HOST_TEXT_LEN], const char *host, uint16_t port);

/* Looks `name` up. *found false where it is not there, or there is no file. False with a reason
 * where the file cannot be read or a line with this name is malformed. The last line counts. */
bool skua_known_hosts_find(const char *path, const char *name, bool *found, struct skua_key *key,
                           struct skua_why *why);
/* Appends a line; makes file and folders where missing. */
bool skua_known_hosts_add(const char *path, const char *name, const struct skua_key *key,
                          struct skua_why *why);

#endif
