#include <archive.h>
#include <archive_entry.h>

#include "../lazy.h"

// libarchive, loaded when the first layer is unpacked: it brings a dozen libraries along.

#define AGENTOS_ARCHIVE "libarchive.so.13"
#define AGENTOS_LAZY(name) AGENTOS_LAZY_FROM(AGENTOS_ARCHIVE, name)

/// Why it cannot be used; NULL when it can. To be asked before anything else.
static inline const char *agentos_archive_problem(void) { return agentos_library_problem(AGENTOS_ARCHIVE); }

static inline struct archive *agentos_archive_read_new(void) { return AGENTOS_LAZY(archive_read_new)(); }
static inline int agentos_archive_read_free(struct archive *a) { return AGENTOS_LAZY(archive_read_free)(a); }
static inline int agentos_archive_read_support_filter_all(struct archive *a) {
    return AGENTOS_LAZY(archive_read_support_filter_all)(a);
}
static inline int agentos_archive_read_support_format_tar(struct archive *a) {
    return AGENTOS_LAZY(archive_read_support_format_tar)(a);
}
static inline int agentos_archive_read_open(
    struct archive *a, void *user, archive_open_callback *open, archive_read_callback *read, archive_close_callback *close) {
    return AGENTOS_LAZY(archive_read_open)(a, user, open, read, close);
}
static inline int agentos_archive_read_next_header(struct archive *a, struct archive_entry **entry) {
    return AGENTOS_LAZY(archive_read_next_header)(a, entry);
}
static inline la_ssize_t agentos_archive_read_data(struct archive *a, void *bytes, size_t size) {
    return AGENTOS_LAZY(archive_read_data)(a, bytes, size);
}
static inline const char *agentos_archive_error_string(struct archive *a) {
    return AGENTOS_LAZY(archive_error_string)(a);
}

static inline __LA_MODE_T agentos_archive_entry_filetype(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_filetype)(e);
}
static inline __LA_MODE_T agentos_archive_entry_perm(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_perm)(e);
}
static inline la_int64_t agentos_archive_entry_uid(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_uid)(e);
}
static inline la_int64_t agentos_archive_entry_gid(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_gid)(e);
}
static inline time_t agentos_archive_entry_mtime(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_mtime)(e);
}
static inline long agentos_archive_entry_mtime_nsec(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_mtime_nsec)(e);
}
static inline const char *agentos_archive_entry_pathname(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_pathname)(e);
}
static inline const char *agentos_archive_entry_hardlink(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_hardlink)(e);
}
static inline const char *agentos_archive_entry_symlink(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_symlink)(e);
}
static inline int agentos_archive_entry_xattr_reset(struct archive_entry *e) {
    return AGENTOS_LAZY(archive_entry_xattr_reset)(e);
}
static inline int agentos_archive_entry_xattr_next(
    struct archive_entry *e, const char **name, const void **value, size_t *size) {
    return AGENTOS_LAZY(archive_entry_xattr_next)(e, name, value, size);
}
