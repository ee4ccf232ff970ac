/* What `skua` returns to the shell: one enum for all subcommands, made from exit_codes.def. */
#ifndef SKUA_TOOLS_EXIT_CODES_H
#define SKUA_TOOLS_EXIT_CODES_H

enum skua_exit {
#define SKUA_EXIT(name, value, text) SKUA_EXIT_##name = (value),
#include "exit_codes.def"
#undef SKUA_EXIT
};

#endif
