/* Settings while sdfwd runs: where they come from, and what is wrong or waits.
 *
 * Files are read at the start and on SIGHUP, OVSDB tells its part when it is
 * there and whenever it changes.  A file that has become wrong counts for
 * nothing: what it said before holds.  A wrong value in OVSDB is as if it was
 * not there. */

#ifndef SDFW_CONFIGURE_H
#define SDFW_CONFIGURE_H 1

#include <stdbool.h>

#include <openvswitch/compiler.h>

struct daemon;
struct ds;
struct smap;

/* These return which effects the changes have, as bits 1u << enum
 * setting_effect. */
unsigned int configure_from_files(struct daemon *);
unsigned int configure_from_ovsdb(struct daemon *, const struct smap *);

/* Lets OVSDB tell its settings before anything is done by weaker ones.  If it
 * is not there, they come when it is.  Returns why it did not, which the
 * caller must free, or NULL. */
char *configure_ask_ovsdb(struct daemon *) OVS_WARN_UNUSED_RESULT;

/* Becomes the user that is set: see privileges.h. */
char *configure_user(const struct daemon *) OVS_WARN_UNUSED_RESULT;

/* What is set now is what sdfwd starts with, and keeps where a change takes
 * effect at the next start: 'started_with' stays as it is, but for what
 * configure_ask_ovsdb() adds. */
void configure_started(struct daemon *);

/* Appends a line for each setting that is wrong, or waits for a start. */
void configure_put_problems(const struct daemon *, struct ds *);

/* For "sdfwd --check-config": prints all settings, and what is wrong with them
 * and with the manifests.  'ovsdb_error' says why OVSDB did not tell its part,
 * or is NULL.  Returns whether all is right. */
bool configure_check(struct daemon *, const char *ovsdb_error);

void configure_destroy(struct daemon *);

#endif /* configure.h */
