/* TLS, from the side that connects: see tls.h. */

#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "stream-ssl.h"
#include "util.h"

/* What OpenSSL says of the call that failed just now. */
static char *
openssl_error(const char *doing, const char *file)
{
    unsigned long int error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    char *message = xasprintf(
        "cannot %s %s: %s", doing, file,
        ERR_GET_LIB(error) == ERR_LIB_SYS
        ? ovs_strerror(ERR_GET_REASON(error))
        : ERR_GET_REASON(error) == PEM_R_NO_START_LINE
          && ERR_GET_LIB(error) == ERR_LIB_PEM ? "it has none in PEM"
        : reason ? reason : "unknown error");
    ERR_clear_error();
    return message;
}

static char *
use_our_files(SSL_CTX *ctx, const struct tls_settings *s)
{
    if (!s->certificate != !s->private_key) {
        return xstrdup("a certificate needs its private key, and a private "
                       "key its certificate");
    } else if (!s->certificate) {
        return NULL;
    } else if (SSL_CTX_use_certificate_chain_file(ctx, s->certificate) != 1) {
        return openssl_error("read a certificate from", s->certificate);
    } else if (SSL_CTX_use_PrivateKey_file(ctx, s->private_key,
                                           SSL_FILETYPE_PEM) != 1) {
        int lib = ERR_GET_LIB(ERR_peek_error());
        char *error = openssl_error("read a private key from",
                                    s->private_key);
        if (lib == ERR_LIB_X509) { /* This call also compares the two. */
            free(error);
            error = xasprintf("the key in %s is not that of the certificate "
                              "in %s", s->private_key, s->certificate);
        } else if (lib != ERR_LIB_SYS) {
            free(error);
            error = xasprintf("%s has no private key in PEM that needs no "
                              "password", s->private_key);
        }
        return error;
    }
    return NULL;
}

/* A key that wants a password is no key for a daemon. */
static int
give_no_password(char *buffer OVS_UNUSED, int size OVS_UNUSED,
                 int writing OVS_UNUSED, void *arg OVS_UNUSED)
{
    return -1;
}

/* A context costs well under a millisecond, and connections are few. */
static char *
create_context(const struct tls_settings *s, SSL_CTX **ctxp)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) {
        return xstrdup("OpenSSL has no TLS");
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, give_no_password);
    char *error = use_our_files(ctx, s);
    if (!error && !s->ca) {
        SSL_CTX_set_default_verify_paths(ctx);
    } else if (!error && SSL_CTX_load_verify_file(ctx, s->ca) != 1) {
        error = openssl_error("read certificates from", s->ca);
    }
    if (error) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    *ctxp = ctx;
    return error;
}

char *
tls_settings_check(const struct tls_settings *settings)
{
    SSL_CTX *ctx;
    char *error = create_context(settings, &ctx);
    if (!error) {
        SSL_CTX_free(ctx);
    }
    return error;
}

bool
tls_may_have_failed(const char *remote, int error)
{
    return !strncmp(remote, "ssl:", 4)
           && (error == EPROTO || error == EIO || error == EPIPE
               || error == ECONNRESET);
}

/* libopenvswitch reads files again that have changed, but takes a key and a
 * certificate that do not belong together, as while they are replaced. */
void
tls_use_in_libopenvswitch(const struct tls_settings *s)
{
    if (s->private_key && s->certificate && s->ca) {
        char *error = tls_settings_check(s);
        if (!error) {
            stream_ssl_set_key_and_cert(s->private_key, s->certificate);
            /* If only it is new, the function above leaves it out. */
            stream_ssl_set_certificate_file(s->certificate);
            stream_ssl_set_ca_cert_file(s->ca, false);
        }
        free(error);
    }
}

static void
expect_name(SSL *session, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session);
    if (!X509_VERIFY_PARAM_set1_ip_asc(param, name)) {
        X509_VERIFY_PARAM_set1_host(param, name, 0);
        SSL_set_tlsext_host_name(session, name);
    }
}

char *
tls_session_create(const struct tls_settings *settings, const char *address,
                   struct ssl_st **sessionp)
{
    SSL_CTX *ctx;
    *sessionp = NULL;
    char *error = create_context(settings, &ctx);
    if (error) {
        return error;
    }
    *sessionp = SSL_new(ctx);
    SSL_CTX_free(ctx);          /* The session has a reference. */
    if (settings->check_name) {
        expect_name(*sessionp, settings->name ? settings->name : address);
    }
    return NULL;
}

/* What is to be called, in the data that each session has for us. */
struct accepted {
    void (*told)(void *aux);
    void *aux;
};

static void
free_accepted(void *parent OVS_UNUSED, void *accepted,
              CRYPTO_EX_DATA *data OVS_UNUSED, int index OVS_UNUSED,
              long int argl OVS_UNUSED, void *argp OVS_UNUSED)
{
    free(accepted);
}

static int
accepted_index(void)
{
    static int index = -1;
    if (index < 0) {
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_accepted);
    }
    return index;
}

/* A server sends session tickets when it has seen all of the handshake. */
static void
message_came(int is_sent, int version OVS_UNUSED, int content_type,
             const void *data, size_t n, SSL *session, void *arg OVS_UNUSED)
{
    const struct accepted *accepted = SSL_get_ex_data(session,
                                                      accepted_index());
    if (!is_sent && content_type == SSL3_RT_HANDSHAKE && n
        && *(const unsigned char *) data == SSL3_MT_NEWSESSION_TICKET) {
        accepted->told(accepted->aux);
    }
}

void
tls_session_on_accepted(struct ssl_st *session, void (*told)(void *aux),
                        void *aux)
{
    struct accepted *accepted = xmalloc(sizeof *accepted);
    *accepted = (struct accepted) { told, aux };
    SSL_set_ex_data(session, accepted_index(), accepted);
    SSL_set_msg_callback(session, message_came);
}

bool
tls_session_is_undecided(const struct ssl_st *session)
{
    return SSL_get_certificate(session)
           && SSL_version(session) >= TLS1_3_VERSION;
}

/* What we found wrong with the peer's certificate. */
static char *
explain_verification(long int result)
{
    switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return xstrdup("its certificate is not signed by a CA that we trust");
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return xstrdup("its certificate, or its CA's, has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return xstrdup("its certificate, or its CA's, is not valid yet");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return xstrdup("its certificate is for another name or address");
    default:
        return xasprintf("its certificate is wrong: %s",
                         X509_verify_cert_error_string(result));
    }
}

/* What the peer found wrong, by its alert (RFC 8446, 6.2), whose number
 * OpenSSL's reason has; or NULL if it is no alert. */
static char *
explain_alert(int reason)
{
    switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_UNKNOWN_CA:
        return xstrdup("our certificate is not signed by a CA that it "
                       "trusts");
    case SSL_AD_CERTIFICATE_EXPIRED:
        return xstrdup("it says that our certificate has expired");
    case SSL_AD_CERTIFICATE_REQUIRED:
        return xstrdup("it wants a certificate from us");
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_ACCESS_DENIED:
        return xstrdup("it does not accept our certificate");
    case SSL_AD_PROTOCOL_VERSION:
        return xstrdup("it speaks no TLS of version 1.2 or later");
    case SSL_AD_HANDSHAKE_FAILURE:
        return xstrdup("it refuses the handshake (no cipher in common, or it "
                       "wants a certificate from us)");
    default:
        return reason >= SSL_AD_REASON_OFFSET
               ? xasprintf("it ended TLS with alert %d",
                           reason - SSL_AD_REASON_OFFSET) : NULL;
    }
}

/* What failed in TLS itself. */
static char *
explain_error(unsigned long int error)
{
    int reason = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        if (reason == SSL_R_WRONG_VERSION_NUMBER) {
            return xstrdup("it does not speak TLS");
        } else if (reason == SSL_R_UNSUPPORTED_PROTOCOL) {
            reason = SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION;
        }
        char *alert = explain_alert(reason);
        if (alert) {
            return alert;
        }
    }
    const char *words = ERR_reason_error_string(error);
    return xasprintf("TLS failed: %s", words ? words : "unknown error");
}

char *
tls_explain(const struct ssl_st *session, bool done, unsigned long int error,
            int errno_, bool *failedp)
{
    if (ERR_SYSTEM_ERROR(error)) {
        errno_ = ERR_GET_REASON(error);
        error = 0;
    }
    bool closed = error ? ERR_GET_LIB(error) == ERR_LIB_SSL
                          && ERR_GET_REASON(error)
                             == SSL_R_UNEXPECTED_EOF_WHILE_READING
                  : !errno_;
    long int verified = SSL_get_verify_result(session);
    *failedp = true;
    if (verified != X509_V_OK) {
        return explain_verification(verified);
    } else if (closed && !done) {
        return xstrdup("it closed the connection during the TLS handshake");
    } else if (error && !closed) {
        return explain_error(error);
    }
    *failedp = false;
    return xstrdup(closed ? "connection closed" : ovs_strerror(errno_));
}
