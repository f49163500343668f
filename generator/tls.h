/* TLS, from the side that connects: who we are, whom we trust, and in words
 * what went wrong.
 *
 * Knows OpenSSL and nothing of events, which are loop.c's.  Files are PEM, and
 * read anew for each session, so that renewed ones need no restart. */

#ifndef SDFW_TLS_H
#define SDFW_TLS_H 1

#include <stdbool.h>

#include <openvswitch/compiler.h>

struct ssl_st;

struct tls_settings {
    const char *private_key, *certificate; /* Ours; NULL: none. */
    const char *ca;             /* Who must have signed the peer's; NULL: one
                                 * that this system trusts. */
    bool check_name;            /* The peer's must be for its address, or for
                                 * 'name' if that is not NULL. */
    const char *name;
};

/* Reads the files; returns an error, which the caller must free, if they
 * cannot be used. */
char *tls_settings_check(const struct tls_settings *) OVS_WARN_UNUSED_RESULT;

/* Makes 'ssl:' of libopenvswitch use the files as they are now, unless they
 * cannot be used: then what it had stays.  From one thread at a time. */
void tls_use_in_libopenvswitch(const struct tls_settings *);

/* True if 'error', with which libopenvswitch's connection to 'remote' ended
 * before it was of use, most likely is of TLS.  With TLS 1.3, a peer that does
 * not take our certificate just closes it. */
bool tls_may_have_failed(const char *remote, int error);

/* Makes a session with the peer at 'address', which does not begin yet; who
 * takes it frees it by SSL_free(). */
char *tls_session_create(const struct tls_settings *, const char *address,
                         struct ssl_st **) OVS_WARN_UNUSED_RESULT;

/* Calls 'told' when the peer says something after the handshake that shows
 * that it takes our certificate: with TLS 1.3, our side of the handshake ends
 * before the peer has looked at it. */
void tls_session_on_accepted(struct ssl_st *, void (*told)(void *aux),
                             void *aux);

/* May the peer still refuse our certificate though the handshake is done? */
bool tls_session_is_undecided(const struct ssl_st *);

/* Says why 'session', whose handshake was 'done' or not, ended, of which
 * OpenSSL says 'error' (0: nothing) and the system 'errno_' (0: the peer
 * closed it).  The caller must free it.  Sets '*failedp' if it is TLS that
 * failed, and not what carries it. */
char *tls_explain(const struct ssl_st *session, bool done,
                  unsigned long int error, int errno_, bool *failedp);

#endif /* tls.h */
