#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "../lazy.h"

// libcrypto, loaded for the first digest, secret or random number.
#define AGENTOS_CRYPTO(name) AGENTOS_LAZY_FROM("libcrypto.so.3", name)
#define EVP_Digest AGENTOS_CRYPTO(EVP_Digest)
#define EVP_sha1 AGENTOS_CRYPTO(EVP_sha1)
#define EVP_sha256 AGENTOS_CRYPTO(EVP_sha256)
#define EVP_MD_CTX_new AGENTOS_CRYPTO(EVP_MD_CTX_new)
#define EVP_MD_CTX_free AGENTOS_CRYPTO(EVP_MD_CTX_free)
#define EVP_DigestInit_ex AGENTOS_CRYPTO(EVP_DigestInit_ex)
#define EVP_DigestUpdate AGENTOS_CRYPTO(EVP_DigestUpdate)
#define EVP_DigestFinal_ex AGENTOS_CRYPTO(EVP_DigestFinal_ex)
#define RAND_bytes AGENTOS_CRYPTO(RAND_bytes)
#define EVP_CIPHER_CTX_new AGENTOS_CRYPTO(EVP_CIPHER_CTX_new)
#define EVP_CIPHER_CTX_free AGENTOS_CRYPTO(EVP_CIPHER_CTX_free)
#define EVP_CIPHER_CTX_ctrl AGENTOS_CRYPTO(EVP_CIPHER_CTX_ctrl)
#define EVP_aes_256_gcm AGENTOS_CRYPTO(EVP_aes_256_gcm)
#define EVP_EncryptInit_ex AGENTOS_CRYPTO(EVP_EncryptInit_ex)
#define EVP_EncryptUpdate AGENTOS_CRYPTO(EVP_EncryptUpdate)
#define EVP_EncryptFinal_ex AGENTOS_CRYPTO(EVP_EncryptFinal_ex)
#define EVP_DecryptInit_ex AGENTOS_CRYPTO(EVP_DecryptInit_ex)
#define EVP_DecryptUpdate AGENTOS_CRYPTO(EVP_DecryptUpdate)
#define EVP_DecryptFinal_ex AGENTOS_CRYPTO(EVP_DecryptFinal_ex)

static inline int agentos_EVP_Digest(
    const void *data, size_t count, unsigned char *md, unsigned int *size, const EVP_MD *type, ENGINE *impl) {
    return EVP_Digest(data, count, md, size, type, impl);
}
static inline const EVP_MD *agentos_EVP_sha1(void) { return EVP_sha1(); }
static inline const EVP_MD *agentos_EVP_sha256(void) { return EVP_sha256(); }
static inline EVP_MD_CTX *agentos_EVP_MD_CTX_new(void) { return EVP_MD_CTX_new(); }
static inline void agentos_EVP_MD_CTX_free(EVP_MD_CTX *ctx) { EVP_MD_CTX_free(ctx); }
static inline int agentos_EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *type, ENGINE *impl) {
    return EVP_DigestInit_ex(ctx, type, impl);
}
static inline int agentos_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *d, size_t cnt) {
    return EVP_DigestUpdate(ctx, d, cnt);
}
static inline int agentos_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md, unsigned int *s) {
    return EVP_DigestFinal_ex(ctx, md, s);
}
static inline int agentos_RAND_bytes(unsigned char *buf, int num) { return RAND_bytes(buf, num); }
static inline EVP_CIPHER_CTX *agentos_EVP_CIPHER_CTX_new(void) { return EVP_CIPHER_CTX_new(); }
static inline void agentos_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *c) { EVP_CIPHER_CTX_free(c); }
static inline int agentos_EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX *ctx, int type, int arg, void *ptr) {
    return EVP_CIPHER_CTX_ctrl(ctx, type, arg, ptr);
}
static inline const EVP_CIPHER *agentos_EVP_aes_256_gcm(void) { return EVP_aes_256_gcm(); }
static inline int agentos_EVP_EncryptInit_ex(
    EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key, const unsigned char *iv) {
    return EVP_EncryptInit_ex(ctx, cipher, impl, key, iv);
}
static inline int agentos_EVP_EncryptUpdate(
    EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl, const unsigned char *in, int inl) {
    return EVP_EncryptUpdate(ctx, out, outl, in, inl);
}
static inline int agentos_EVP_EncryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl) {
    return EVP_EncryptFinal_ex(ctx, out, outl);
}
static inline int agentos_EVP_DecryptInit_ex(
    EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key, const unsigned char *iv) {
    return EVP_DecryptInit_ex(ctx, cipher, impl, key, iv);
}
static inline int agentos_EVP_DecryptUpdate(
    EVP_CIPHER_CTX *ctx, unsigned char *out, int *outl, const unsigned char *in, int inl) {
    return EVP_DecryptUpdate(ctx, out, outl, in, inl);
}
static inline int agentos_EVP_DecryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *outm, int *outl) {
    return EVP_DecryptFinal_ex(ctx, outm, outl);
}
