#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "../lazy.h"

// OpenSSL, loaded by whoever listens for others, or makes certificates. Much of it is macros, which Swift cannot call. Texts
// are PEM; nothing here keeps what it is given.
#define AGENTOS_CRYPTO(name) AGENTOS_LAZY_FROM("libcrypto.so.3", name)
#define AGENTOS_TLS(name) AGENTOS_LAZY_FROM("libssl.so.3", name)
#define ASN1_STRING_to_UTF8 AGENTOS_CRYPTO(ASN1_STRING_to_UTF8)
#define ASN1_TIME_to_tm AGENTOS_CRYPTO(ASN1_TIME_to_tm)
#define BIO_free AGENTOS_CRYPTO(BIO_free)
#define BIO_new AGENTOS_CRYPTO(BIO_new)
#define BIO_new_mem_buf AGENTOS_CRYPTO(BIO_new_mem_buf)
#define BIO_read AGENTOS_CRYPTO(BIO_read)
#define BIO_s_mem AGENTOS_CRYPTO(BIO_s_mem)
#define BN_bin2bn AGENTOS_CRYPTO(BN_bin2bn)
#define BN_free AGENTOS_CRYPTO(BN_free)
#define BN_to_ASN1_INTEGER AGENTOS_CRYPTO(BN_to_ASN1_INTEGER)
#define CRYPTO_free AGENTOS_CRYPTO(CRYPTO_free)
#define ERR_clear_error AGENTOS_CRYPTO(ERR_clear_error)
#define ERR_peek_last_error AGENTOS_CRYPTO(ERR_peek_last_error)
#define EVP_PKEY_Q_keygen AGENTOS_CRYPTO(EVP_PKEY_Q_keygen)
#define EVP_PKEY_free AGENTOS_CRYPTO(EVP_PKEY_free)
#define EVP_sha256 AGENTOS_CRYPTO(EVP_sha256)
#define PEM_read_bio_PrivateKey AGENTOS_CRYPTO(PEM_read_bio_PrivateKey)
#define PEM_read_bio_X509 AGENTOS_CRYPTO(PEM_read_bio_X509)
#define PEM_write_bio_PKCS8PrivateKey AGENTOS_CRYPTO(PEM_write_bio_PKCS8PrivateKey)
#define PEM_write_bio_X509 AGENTOS_CRYPTO(PEM_write_bio_X509)
#define RAND_bytes AGENTOS_CRYPTO(RAND_bytes)
#define X509V3_EXT_conf_nid AGENTOS_CRYPTO(X509V3_EXT_conf_nid)
#define X509V3_set_ctx AGENTOS_CRYPTO(X509V3_set_ctx)
#define X509_EXTENSION_free AGENTOS_CRYPTO(X509_EXTENSION_free)
#define X509_NAME_ENTRY_get_data AGENTOS_CRYPTO(X509_NAME_ENTRY_get_data)
#define X509_NAME_add_entry_by_NID AGENTOS_CRYPTO(X509_NAME_add_entry_by_NID)
#define X509_NAME_get_entry AGENTOS_CRYPTO(X509_NAME_get_entry)
#define X509_NAME_get_index_by_NID AGENTOS_CRYPTO(X509_NAME_get_index_by_NID)
#define X509_STORE_add_cert AGENTOS_CRYPTO(X509_STORE_add_cert)
#define X509_add_ext AGENTOS_CRYPTO(X509_add_ext)
#define X509_free AGENTOS_CRYPTO(X509_free)
#define X509_get0_notAfter AGENTOS_CRYPTO(X509_get0_notAfter)
#define X509_get_serialNumber AGENTOS_CRYPTO(X509_get_serialNumber)
#define X509_get_subject_name AGENTOS_CRYPTO(X509_get_subject_name)
#define X509_getm_notAfter AGENTOS_CRYPTO(X509_getm_notAfter)
#define X509_getm_notBefore AGENTOS_CRYPTO(X509_getm_notBefore)
#define X509_gmtime_adj AGENTOS_CRYPTO(X509_gmtime_adj)
#define X509_new AGENTOS_CRYPTO(X509_new)
#define X509_set_issuer_name AGENTOS_CRYPTO(X509_set_issuer_name)
#define X509_set_pubkey AGENTOS_CRYPTO(X509_set_pubkey)
#define X509_set_version AGENTOS_CRYPTO(X509_set_version)
#define X509_sign AGENTOS_CRYPTO(X509_sign)
#define SSL_CTX_add_client_CA AGENTOS_TLS(SSL_CTX_add_client_CA)
#define SSL_CTX_check_private_key AGENTOS_TLS(SSL_CTX_check_private_key)
#define SSL_CTX_ctrl AGENTOS_TLS(SSL_CTX_ctrl)
#define SSL_CTX_free AGENTOS_TLS(SSL_CTX_free)
#define SSL_CTX_get_cert_store AGENTOS_TLS(SSL_CTX_get_cert_store)
#define SSL_CTX_new AGENTOS_TLS(SSL_CTX_new)
#define SSL_CTX_set_alpn_select_cb AGENTOS_TLS(SSL_CTX_set_alpn_select_cb)
#define SSL_CTX_set_cipher_list AGENTOS_TLS(SSL_CTX_set_cipher_list)
#define SSL_CTX_set_num_tickets AGENTOS_TLS(SSL_CTX_set_num_tickets)
#define SSL_CTX_set_options AGENTOS_TLS(SSL_CTX_set_options)
#define SSL_CTX_set_verify AGENTOS_TLS(SSL_CTX_set_verify)
#define SSL_CTX_set_verify_depth AGENTOS_TLS(SSL_CTX_set_verify_depth)
#define SSL_CTX_use_PrivateKey AGENTOS_TLS(SSL_CTX_use_PrivateKey)
#define SSL_CTX_use_certificate AGENTOS_TLS(SSL_CTX_use_certificate)
#define SSL_do_handshake AGENTOS_TLS(SSL_do_handshake)
#define SSL_free AGENTOS_TLS(SSL_free)
#define SSL_get1_peer_certificate AGENTOS_TLS(SSL_get1_peer_certificate)
#define SSL_get_error AGENTOS_TLS(SSL_get_error)
#define SSL_get_verify_result AGENTOS_TLS(SSL_get_verify_result)
#define SSL_new AGENTOS_TLS(SSL_new)
#define SSL_read AGENTOS_TLS(SSL_read)
#define SSL_select_next_proto AGENTOS_TLS(SSL_select_next_proto)
#define SSL_set_accept_state AGENTOS_TLS(SSL_set_accept_state)
#define SSL_set_fd AGENTOS_TLS(SSL_set_fd)
#define SSL_shutdown AGENTOS_TLS(SSL_shutdown)
#define SSL_write AGENTOS_TLS(SSL_write)
#define TLS_server_method AGENTOS_TLS(TLS_server_method)

static inline void agentos_SSL_CTX_free(SSL_CTX *a) { SSL_CTX_free(a); }
static inline int agentos_SSL_do_handshake(SSL *s) { return SSL_do_handshake(s); }
static inline void agentos_SSL_free(SSL *ssl) { SSL_free(ssl); }
static inline X509 *agentos_SSL_get1_peer_certificate(const SSL *s) { return SSL_get1_peer_certificate(s); }
static inline int agentos_SSL_get_error(const SSL *s, int ret_code) { return SSL_get_error(s, ret_code); }
static inline long agentos_SSL_get_verify_result(const SSL *ssl) { return SSL_get_verify_result(ssl); }
static inline SSL *agentos_SSL_new(SSL_CTX *ctx) { return SSL_new(ctx); }
static inline int agentos_SSL_read(SSL *ssl, void *buf, int num) { return SSL_read(ssl, buf, num); }
static inline void agentos_SSL_set_accept_state(SSL *s) { SSL_set_accept_state(s); }
static inline int agentos_SSL_set_fd(SSL *s, int fd) { return SSL_set_fd(s, fd); }
static inline int agentos_SSL_shutdown(SSL *s) { return SSL_shutdown(s); }
static inline int agentos_SSL_write(SSL *ssl, const void *buf, int num) { return SSL_write(ssl, buf, num); }
static inline void agentos_X509_free(X509 *a) { X509_free(a); }

/// Without it OpenSSL would ask for passwords on the terminal. Where there is an `int` for it, that it was asked is told.
static inline int agentos_no_password(char *text, int max, int is_writing, void *user) {
    if (user) *(int *)user = 1;
    return -1;
}

/// The next certificate of a text; NULL at its end, and where one cannot be read.
static inline X509 *agentos_next_certificate(BIO *bio) {
    ERR_clear_error();
    return PEM_read_bio_X509(bio, NULL, agentos_no_password, NULL);
}

/// Why there was no next one: 1 at the end of the text, 0 where one cannot be read.
static inline int agentos_pem_is_at_end(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static inline X509 *agentos_pem_certificate(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio ? agentos_next_certificate(bio) : NULL;
    BIO_free(bio);
    return certificate;
}

static inline EVP_PKEY *agentos_pem_key(const char *pem, int *is_encrypted) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, agentos_no_password, is_encrypted) : NULL;
    BIO_free(bio);
    return key;
}

/// Seconds since 1970 of a certificate's end; -1 when it cannot be read.
static inline int64_t agentos_x509_end(const X509 *certificate) {
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) return -1;
    return timegm(&tm);
}

// MARK: A server's context

static inline int agentos_choose_http1(
    SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned int count, void *user) {
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, count) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/// Certificates that sign those of clients; how many there were, -1 when one cannot be read.
static inline int agentos_tls_trust(SSL_CTX *context, const char *pem) {
    int count = 0;
    X509 *certificate = NULL;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    while (bio && (certificate = agentos_next_certificate(bio))) {
        int fine = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
                   SSL_CTX_add_client_CA(context, certificate) == 1;
        X509_free(certificate);
        if (!fine) break;
        count++;
    }
    if (certificate || !agentos_pem_is_at_end()) count = -1;
    BIO_free(bio);
    ERR_clear_error();
    return count;
}

/// What becomes of an identity that is given to a context.
enum agentos_identity {
    agentos_identity_fine, agentos_identity_certificate, agentos_identity_key, agentos_identity_encrypted,
    agentos_identity_pair
};

/// The certificate of the server and those that signed it behind it.
static inline int agentos_tls_chain(SSL_CTX *context, const char *chain) {
    BIO *bio = BIO_new_mem_buf(chain, -1);
    X509 *leaf = bio ? agentos_next_certificate(bio) : NULL, *more;
    int fine = leaf && SSL_CTX_use_certificate(context, leaf) == 1;
    while (fine && (more = agentos_next_certificate(bio)))
        if (SSL_CTX_add_extra_chain_cert(context, more) != 1) { X509_free(more); fine = 0; }
    fine = fine && agentos_pem_is_at_end();
    X509_free(leaf);
    BIO_free(bio);
    ERR_clear_error();
    return fine;
}

/// The certificates of the server and its key; which of them cannot be read, or that they do not belong together.
static inline enum agentos_identity agentos_tls_identity(SSL_CTX *context, const char *chain, const char *pem) {
    int is_encrypted = 0;
    if (!agentos_tls_chain(context, chain)) return agentos_identity_certificate;
    EVP_PKEY *key = agentos_pem_key(pem, &is_encrypted);
    enum agentos_identity result = agentos_identity_fine;
    if (!key) {
        result = is_encrypted ? agentos_identity_encrypted : agentos_identity_key;
    } else if (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1) {
        result = agentos_identity_pair;
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result;
}

/// TLS 1.2 and 1.3 only. A client's certificate is asked for; one that is shown must be good. No session is resumed: a
/// resumed one would not look at the certificate again.
static inline SSL_CTX *agentos_tls_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
        SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, 4);
    SSL_CTX_set_alpn_select_cb(context, agentos_choose_http1, NULL);
    return context;
}

static inline void agentos_tls_clear_errors(void) { ERR_clear_error(); }

// MARK: Who a client is

/// Copies one text of a certificate's subject; its length, -1 when there is none at this place, -2 when it cannot be told.
static inline int agentos_x509_subject(X509 *certificate, int nid, int place, char *text, int max) {
    X509_NAME *name = X509_get_subject_name(certificate);
    int index = -1;
    do {
        index = X509_NAME_get_index_by_NID(name, nid, index);
        if (index < 0) return -1;
    } while (place-- > 0);
    unsigned char *utf8 = NULL;
    int count = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    if (count < 0) return -2;
    int fine = count < max && memchr(utf8, 0, count) == NULL;
    if (fine) memcpy(text, utf8, count);
    OPENSSL_free(utf8);
    return fine ? count : -2;
}

// MARK: Making certificates

static inline int agentos_take_pem(BIO *bio, char *text, int max) {
    int count = BIO_read(bio, text, max - 1);
    BIO_free(bio);
    if (count <= 0 || count >= max - 1) return 0;
    text[count] = 0;
    return 1;
}

static inline int agentos_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int fine = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return fine;
}

/// Makes a key on P-256 and its certificate, which the issuer signs; without one it is an authority and signs itself.
///
/// `usage` is serverAuth or clientAuth, `names` a list such as DNS:localhost,IP:127.0.0.1 or NULL. 1 when it is made.
static inline int agentos_make_certificate(
    const char *issuer_pem, const char *issuer_key_pem, const char *common, const char *const *organizations, int count,
    int64_t seconds, const char *usage, const char *names, char *certificate_pem, int certificate_max, char *key_pem,
    int key_max) {
    unsigned char serial[16];
    X509 *issuer = issuer_pem ? agentos_pem_certificate(issuer_pem) : NULL;
    EVP_PKEY *issuer_key = issuer_key_pem ? agentos_pem_key(issuer_key_pem, NULL) : NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    BIO *out = BIO_new(BIO_s_mem()), *key_out = BIO_new(BIO_s_mem());
    int fine = key && certificate && out && key_out && (!issuer_pem || (issuer && issuer_key)) &&
               RAND_bytes(serial, sizeof serial) == 1;
    if (fine) {
        serial[0] &= 0x7f;
        BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
        BN_free(number);
        X509_set_version(certificate, 2);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -300);
        X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
        X509_set_pubkey(certificate, key);
        X509_NAME *name = X509_get_subject_name(certificate);
        for (int i = 0; i < count; i++)
            fine = fine && X509_NAME_add_entry_by_NID(
                name, NID_organizationName, MBSTRING_UTF8, (const unsigned char *)organizations[i], -1, -1, 0) == 1;
        fine = fine && X509_NAME_add_entry_by_NID(
            name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)common, -1, -1, 0) == 1;
        X509 *signer = issuer ? issuer : certificate;
        X509_set_issuer_name(certificate, X509_get_subject_name(signer));
        fine = fine && agentos_add_extension(certificate, signer, NID_subject_key_identifier, "hash") &&
               agentos_add_extension(certificate, signer, NID_basic_constraints,
                   usage ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0") &&
               agentos_add_extension(certificate, signer, NID_key_usage,
                   usage ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
        if (issuer) fine = fine && agentos_add_extension(certificate, signer, NID_authority_key_identifier, "keyid");
        if (usage) fine = fine && agentos_add_extension(certificate, signer, NID_ext_key_usage, usage);
        if (names) fine = fine && agentos_add_extension(certificate, signer, NID_subject_alt_name, names);
        fine = fine && X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()) > 0 &&
               PEM_write_bio_X509(out, certificate) == 1 &&
               PEM_write_bio_PKCS8PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) == 1;
    }
    // Both are taken, whatever comes of the first.
    int written = agentos_take_pem(out, certificate_pem, certificate_max);
    int key_written = agentos_take_pem(key_out, key_pem, key_max);
    X509_free(issuer);
    X509_free(certificate);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return fine && written && key_written;
}
