/* What the sinks of one request share (sink.h): used by sink.c and intake.c only. */
#ifndef SKUA_TOOLS_INTAKE_H
#define SKUA_TOOLS_INTAKE_H

#include "sink.h"

/* The part of the configuration that sinks read. */
const struct skua_intake_config *skua_intake_settings(const struct skua_intake *intake);

/* Checks an entry and says where it goes: `path`, in the store. `path` has room for
 * 2 * SKUA_FILE_PATH_MAX + 2 bytes. OK, or why it is refused. */
enum skua_file_status skua_intake_place(struct skua_intake *intake,
                                        const struct skua_file_entry *entry, char *path);
/* A NOTICE has come. */
void skua_intake_notice(struct skua_intake *intake, const struct skua_file_notice *notice);
/* Opens the directory `path` of the store, making those that are missing. */
int skua_intake_make_dirs(const struct skua_intake *intake, const char *path, int *fd);
/* Remembers a directory for skua_intake_finish. OK or LIMIT. */
enum skua_file_status skua_intake_add_dir(struct skua_intake *intake,
                                          const struct skua_file_entry *entry, const char *path);

#endif
