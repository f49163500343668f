/* Signed envelopes: see dsse.h. */

#include "dsse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "util.h"

#define SIGNATURE_SIZE 64       /* Ed25519: RFC 8032, 5.1.6. */

struct dsse_key {
    EVP_PKEY *key;
    char id[SHA256_HEX_SIZE];
};

void
sha256_hex(const void *data, size_t n, char hex[SHA256_HEX_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size;
    if (!EVP_Digest(data, n, digest, &size, EVP_sha256(), NULL)) {
        OVS_NOT_REACHED();
    }
    for (unsigned int i = 0; i < size; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

/* Keys. */

static char *
take_key(EVP_PKEY *pkey, const char *file, const char *what,
         struct dsse_key **keyp)
{
    if (!pkey || EVP_PKEY_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        return xasprintf("%s: is no %s key of Ed25519 in PEM; \"openssl "
                         "genpkey -algorithm ed25519 -out KEY\" makes a "
                         "private one, \"openssl pkey -in KEY -pubout -out "
                         "PUBLIC\" the public one of it", file, what);
    }
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    struct dsse_key *key = xmalloc(sizeof *key);
    key->key = pkey;
    sha256_hex(der, MAX(n, 0), key->id);
    OPENSSL_free(der);
    *keyp = key;
    return NULL;
}

static char *
read_key(const char *file, const char *what,
         EVP_PKEY *(*read)(FILE *, EVP_PKEY **, pem_password_cb *, void *),
         struct dsse_key **keyp)
{
    *keyp = NULL;
    FILE *stream = fopen(file, "r");
    if (!stream) {
        return xasprintf("%s: %s", file, ovs_strerror(errno));
    }
    /* The empty password, instead of asking for one. */
    char *error = take_key(read(stream, NULL, NULL, CONST_CAST(char *, "")),
                           file, what, keyp);
    fclose(stream);
    return error;
}

char *
dsse_read_private_key(const char *file, struct dsse_key **keyp)
{
    return read_key(file, "private", PEM_read_PrivateKey, keyp);
}

char *
dsse_read_public_key(const char *file, struct dsse_key **keyp)
{
    return read_key(file, "public", PEM_read_PUBKEY, keyp);
}

void
dsse_key_destroy(struct dsse_key *key)
{
    if (key) {
        EVP_PKEY_free(key->key);
        free(key);
    }
}

const char *
dsse_key_id(const struct dsse_key *key)
{
    return key->id;
}

/* Base64 (RFC 4648, 4). */

static char *
encode(const void *data, size_t n)
{
    char *text = xmalloc((n + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *) text, data, n);
    return text;
}

/* Returns NULL if 'text' is none.  The result has a null byte behind it. */
static char *
decode(const char *text, size_t *n)
{
    size_t length = strlen(text);
    char *data = xzalloc(length / 4 * 3 + 1);
    int decoded = length % 4 ? -1
                  : EVP_DecodeBlock((unsigned char *) data,
                                    (const unsigned char *) text, length);
    if (decoded < 0) {
        free(data);
        return NULL;
    }
    /* It counts the padding too. */
    size_t padding = length && text[length - 1] == '='
                     ? 1 + (text[length - 2] == '=') : 0;
    *n = decoded - padding;
    data[*n] = '\0';
    return data;
}

/* What is signed: "pre-authentication encoding" of the protocol. */
static struct ds
encode_for_signing(const char *type, const char *payload, size_t n)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "DSSEv1 %"PRIuSIZE" %s %"PRIuSIZE" ", strlen(type),
                  type, n);
    ds_put_buffer(&s, payload, n);
    return s;
}

char *
dsse_sign(const struct dsse_key *key, const char *type, const char *payload)
{
    struct ds text = encode_for_signing(type, payload, strlen(payload));
    unsigned char signature[SIGNATURE_SIZE];
    size_t n = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) != 1
        || EVP_DigestSign(context, signature, &n,
                          (unsigned char *) text.string, text.length) != 1) {
        OVS_NOT_REACHED();
    }
    EVP_MD_CTX_free(context);
    ds_destroy(&text);

    struct json *one = json_object_create();
    json_object_put_string(one, "keyid", key->id);
    json_object_put(one, "sig", json_string_create_nocopy(encode(signature,
                                                                 n)));
    struct json *envelope = json_object_create();
    json_object_put(envelope, "payload", json_string_create_nocopy(
                        encode(payload, strlen(payload))));
    json_object_put_string(envelope, "payloadType", type);
    json_object_put(envelope, "signatures", json_array_create_1(one));
    char *line = json_to_string(envelope, JSSF_SORT);
    json_destroy(envelope);
    return line;
}

static const char *
string_member(const struct json *json, const char *name)
{
    const struct json *value
        = json && json->type == JSON_OBJECT
          ? shash_find_data(json_object(json), name) : NULL;
    return value && value->type == JSON_STRING ? json_string(value) : NULL;
}

static bool
is_signature_of(const struct dsse_key *key, const char *text,
                const struct ds *signed_)
{
    size_t n;
    char *signature = decode(text, &n);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = signature
              && EVP_DigestVerifyInit(context, NULL, NULL, NULL,
                                      key->key) == 1
              && EVP_DigestVerify(context, (unsigned char *) signature, n,
                                  (unsigned char *) signed_->string,
                                  signed_->length) == 1;
    EVP_MD_CTX_free(context);
    free(signature);
    return ok;
}

static char *
verify(const struct dsse_key *key, const char *type,
       const struct json *envelope, char **payload)
{
    const char *text = string_member(envelope, "payload");
    const char *its_type = string_member(envelope, "payloadType");
    const struct json *signatures
        = envelope->type == JSON_OBJECT
          ? shash_find_data(json_object(envelope), "signatures") : NULL;
    size_t n;
    if (!text || !its_type || !signatures || signatures->type != JSON_ARRAY) {
        return xstrdup("is no DSSE envelope");
    } else if (strcmp(type, its_type)) {
        return xasprintf("is of type \"%s\", not \"%s\"", its_type, type);
    } else if (!(*payload = decode(text, &n))) {
        return xstrdup("its payload is no base64");
    }
    struct ds signed_ = encode_for_signing(type, *payload, n);
    bool ok = false;
    for (size_t i = 0; i < signatures->array.n && !ok; i++) {
        const char *sig = string_member(signatures->array.elems[i], "sig");
        ok = sig && is_signature_of(key, sig, &signed_);
    }
    ds_destroy(&signed_);
    if (!ok) {
        free(*payload);
        *payload = NULL;
        return xasprintf("is not signed by key %.16s…, or was altered",
                         key->id);
    }
    return NULL;
}

char *
dsse_verify(const struct dsse_key *key, const char *type,
            const char *envelope, char **payload)
{
    *payload = NULL;
    struct json *json = json_from_string(envelope);
    char *error = json->type == JSON_STRING
                  ? xasprintf("is no JSON: %s", json_string(json))
                  : verify(key, type, json, payload);
    json_destroy(json);
    return error;
}
