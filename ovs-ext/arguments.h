/* What sdfwd is called with: the usage text, flags and the files of --config.
 *
 * What is wrong with them ends the program, with exit status 64. */

#ifndef SDFW_ARGUMENTS_H
#define SDFW_ARGUMENTS_H 1

struct daemon;

/* With --check-config, files may be wrong. */
void arguments_parse(int argc, char *argv[], struct daemon *);

/* With --once, bridges and topologies must be set: OVSDB had its chance. */
void arguments_check(const struct daemon *);

/* Ends the program if 'error' is not NULL. */
void fail_on(char *error);

#endif /* arguments.h */
