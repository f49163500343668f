/* Signed envelopes: DSSE (Dead Simple Signing Envelope, protocol version 1,
 * github.com/secure-systems-lab/dsse) with Ed25519 (RFC 8032) keys, in one
 * line of JSON.  The signature is over the bytes of the payload as they are,
 * so nobody needs to agree on how to write JSON. */

#ifndef SDFW_DSSE_H
#define SDFW_DSSE_H 1

#include <openvswitch/compiler.h>

struct dsse_key;

/* Reads a key (PEM), private or public.  Returns an error that the caller must
 * free if it cannot be read or is not of Ed25519. */
char *dsse_read_private_key(const char *file, struct dsse_key **)
    OVS_WARN_UNUSED_RESULT;
char *dsse_read_public_key(const char *file, struct dsse_key **)
    OVS_WARN_UNUSED_RESULT;
void dsse_key_destroy(struct dsse_key *);

/* SHA-256 of the public key (SubjectPublicKeyInfo, DER), in hexadecimal. */
const char *dsse_key_id(const struct dsse_key *);

/* The envelope of 'payload', which is of media type 'type', signed with a
 * private key.  The caller frees it. */
char *dsse_sign(const struct dsse_key *, const char *type,
                const char *payload);

/* Sets '*payload', which the caller frees, to what is in 'envelope', if it is
 * of 'type' and has a signature of 'key'.  Otherwise returns an error that the
 * caller must free. */
char *dsse_verify(const struct dsse_key *, const char *type,
                  const char *envelope, char **payload)
    OVS_WARN_UNUSED_RESULT;

/* SHA-256 (FIPS 180-4) of 'n' bytes, in hexadecimal. */
#define SHA256_HEX_SIZE 65
void sha256_hex(const void *data, size_t n, char hex[SHA256_HEX_SIZE]);

#endif /* dsse.h */
