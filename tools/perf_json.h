/* JSON of `skua perf`: one object on one line. */
#ifndef SKUA_TOOLS_PERF_JSON_H
#define SKUA_TOOLS_PERF_JSON_H

#include <stdio.h>

#include "perf_report.h"

/* {"mode":..,"goodput_bps":..,"bytes":..,"seconds":..,"cpu_seconds_per_gb":{..},"up":{..},
 * "down":{..},"client":{..},"server":{..},"intervals":[..]}. Values that do not exist (a server
 * that did not report, a threshold not set) are null. */
void skua_perf_json_report(const struct skua_perf_report *report);

/* {"client":..,"mode":..,"server":{..}} */
void skua_perf_json_served(FILE *out, const char *client, const struct skua_perf_request *request,
                           const struct skua_perf_end *end);

#endif
