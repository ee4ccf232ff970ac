/* What an emulated link did: a table for people, an object for programs. */
#ifndef SKUA_TOOLS_LINK_REPORT_H
#define SKUA_TOOLS_LINK_REPORT_H

#include <stdio.h>

#include "link_run.h"

/* One line per counter, one column per direction. */
void skua_link_report_table(FILE *out, const struct skua_link_result *result);

/* One line of JSON: {"seconds":..,"flows":..,"rebindings":..,"up":{..},"down":{..}}, the members of
 * a direction named as in struct skua_link_counts. */
void skua_link_report_json(FILE *out, const struct skua_link_result *result);

#endif
