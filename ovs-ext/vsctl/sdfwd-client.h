/* What the sdfwd of this host says. */

#ifndef SDFW_VSCTL_SDFWD_CLIENT_H
#define SDFW_VSCTL_SDFWD_CLIENT_H 1

#include <stddef.h>

#include <openvswitch/compiler.h>

struct json;
struct shash;
struct svec;

/* Each returns an error, which the caller must free, if it is not there. */

/* Adds the values that are in force of 'setting' to 'values', by whatever they
 * were set but by rows of Bridge. */
char *sdfwd_get_setting(const char *setting, struct svec *values)
    OVS_WARN_UNUSED_RESULT;

/* Adds the modes that were set in sdfwd itself, by names of applications and
 * services; the caller frees the data. */
char *sdfwd_get_modes(struct shash *modes) OVS_WARN_UNUSED_RESULT;

/* The records of the deviations that are open, '*n' of them, which the caller
 * frees by sdfwd_free_deviations(). */
char *sdfwd_get_deviations(struct json ***records, size_t *n)
    OVS_WARN_UNUSED_RESULT;
void sdfwd_free_deviations(struct json **records, size_t n);

/* What a record has: the member at 'path' ("src.address"), as text, or NULL.
 * The caller frees it. */
char *sdfwd_get_text(const struct json *record, const char *path);
long long int sdfwd_get_number(const struct json *record, const char *name);

#endif /* sdfwd-client.h */
