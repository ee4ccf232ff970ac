/* Entry points of the subcommands, declared from commands.def.
 *
 * A command is `int command(int argc, char **argv)`: argv[0] is the command's own name ("cp"), the
 * rest are its arguments; it returns one of enum skua_exit. It parses its arguments with options.h,
 * which answers --help and usage errors. Commands share no state. */
#ifndef SKUA_TOOLS_COMMANDS_H
#define SKUA_TOOLS_COMMANDS_H

#include "exit_codes.h"

#define SKUA_COMMAND(name, function, help) int function(int argc, char **argv);
#include "commands.def"
#undef SKUA_COMMAND

#endif
