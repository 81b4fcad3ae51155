// Checksums of pages, below SQLite.
//
// The main file of a database alone has them: the frames of a write-ahead log have SQLite's own. Each page that is written
// to the main file ends with a hash of its bytes and its place, so that a page which was changed, or written to another
// place, is never taken for data. Header byte 20 of the file says how much SQLite leaves free at the end of a page: a
// database without our 8 bytes is read and written as it is.
#include "pages.h"

#include <sqlite3.h>
#include <string.h>

struct file {
    sqlite3_file base;
    /// The file has checksums.
    int has_checksums;
    /// They are compared.
    int compares;
    int page_size;
    // The file of the file system below follows.
};

static sqlite3_vfs *below;
static sqlite3_vfs ours;
static _Thread_local int64_t damaged;

static sqlite3_file *real(sqlite3_file *file) { return (sqlite3_file *)((struct file *)file + 1); }

int64_t agentos_pages_damaged(void) {
    int64_t page = damaged;
    damaged = 0;
    return page;
}

/// A hash of a page's bytes before the checksum, and of its number.
static uint64_t hash(const unsigned char *page, int size, int64_t number) {
    uint64_t value = 0x9e3779b97f4a7c15 ^ (uint64_t)number;
    for (int at = 0; at < size - AGENTOS_PAGES_RESERVED; at += 8) {
        uint64_t word;
        memcpy(&word, page + at, 8);
        value = (value ^ word) * 0xff51afd7ed558ccd;
        value ^= value >> 32;
    }
    return value;
}

static int is_empty(const unsigned char *page, int size) {
    return page[0] == 0 && memcmp(page, page + 1, (size_t)size - 1) == 0;
}

/// Learns from the head of the file whether its pages have checksums, and how long they are.
static void look(struct file *file, const unsigned char *bytes, int count, sqlite3_int64 offset) {
    if (offset != 0 || count < 100 || memcmp(bytes, "SQLite format 3", 16) != 0) return;
    int size = bytes[16] << 8 | bytes[17];
    file->page_size = size == 1 ? 65536 : size;
    file->has_checksums = bytes[20] == AGENTOS_PAGES_RESERVED;
}

static int is_page(const struct file *file, int count, sqlite3_int64 offset) {
    return file->has_checksums && count == file->page_size && offset % count == 0;
}

static int read_page(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
    struct file *file = (struct file *)base;
    int code = real(base)->pMethods->xRead(real(base), bytes, count, offset);
    if (code != SQLITE_OK) return code;
    look(file, bytes, count, offset);
    if (!file->compares || !is_page(file, count, offset)) return code;
    const unsigned char *page = bytes;
    uint64_t stored;
    memcpy(&stored, page + count - AGENTOS_PAGES_RESERVED, AGENTOS_PAGES_RESERVED);
    // A hole: the file was made longer before the page was written.
    if (hash(page, count, offset / count + 1) == stored || is_empty(page, count)) return code;
    if (damaged == 0) damaged = offset / count + 1;
    return SQLITE_IOERR_DATA;
}

static int write_page(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
    struct file *file = (struct file *)base;
    look(file, bytes, count, offset);
    if (!is_page(file, count, offset)) return real(base)->pMethods->xWrite(real(base), bytes, count, offset);
    unsigned char page[65536];
    memcpy(page, bytes, (size_t)count);
    uint64_t value = hash(page, count, offset / count + 1);
    memcpy(page + count - AGENTOS_PAGES_RESERVED, &value, AGENTOS_PAGES_RESERVED);
    return real(base)->pMethods->xWrite(real(base), page, count, offset);
}

// Everything else is done by the file system below.

static int close_file(sqlite3_file *file) {
    int code = real(file)->pMethods->xClose(real(file));
    file->pMethods = 0;
    return code;
}
static int cut(sqlite3_file *file, sqlite3_int64 size) { return real(file)->pMethods->xTruncate(real(file), size); }
static int sync_file(sqlite3_file *file, int flags) { return real(file)->pMethods->xSync(real(file), flags); }
static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real(file)->pMethods->xFileSize(real(file), size);
}
static int lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }
static int unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
static int reserved(sqlite3_file *file, int *is_locked) {
    return real(file)->pMethods->xCheckReservedLock(real(file), is_locked);
}
static int control(sqlite3_file *file, int operation, void *argument) {
    if (operation == AGENTOS_PAGES_COMPARE) {
        ((struct file *)file)->compares = *(int *)argument;
        return SQLITE_OK;
    }
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
static int sector_size(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }
static int characteristics(sqlite3_file *file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
static int map_shared(sqlite3_file *file, int page, int size, int extends, void volatile **memory) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extends, memory);
}
static int lock_shared(sqlite3_file *file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
static void barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }
static int unmap_shared(sqlite3_file *file, int removes) {
    return real(file)->pMethods->xShmUnmap(real(file), removes);
}
/// Pages are read, never mapped: nobody would compare them.
static int fetch(sqlite3_file *file, sqlite3_int64 offset, int count, void **page) {
    (void)file, (void)offset, (void)count;
    *page = 0;
    return SQLITE_OK;
}
static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page) {
    (void)file, (void)offset, (void)page;
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    3, close_file, read_page, write_page, cut, sync_file, file_size, lock, unlock, reserved, control, sector_size,
    characteristics, map_shared, lock_shared, barrier, unmap_shared, fetch, unfetch,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *opened) {
    (void)vfs;
    if (!(flags & SQLITE_OPEN_MAIN_DB)) return below->xOpen(below, name, base, flags, opened);
    struct file *file = (struct file *)base;
    memset(file, 0, sizeof *file);
    int code = below->xOpen(below, name, real(base), flags, opened);
    if (real(base)->pMethods) file->base.pMethods = &methods;
    sqlite3_int64 size = 0;
    if (code == SQLITE_OK && real(base)->pMethods->xFileSize(real(base), &size) == SQLITE_OK) {
        // Pages of a new file may be written before its head.
        file->has_checksums = size == 0;
    }
    file->page_size = AGENTOS_PAGES_SIZE;
    file->compares = 1;
    return code;
}

int64_t agentos_pages_committed_frames(sqlite3 *database) {
    sqlite3_file *file = 0;
    void volatile *index = 0;
    uint32_t frames = 0;
    enum { INDEX_PAGE = 32768, LAST_FRAME = 16 };
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods) return 0;
    if (file->pMethods->xShmMap(file, 0, INDEX_PAGE, 0, &index) != SQLITE_OK || !index) return 0;
    memcpy(&frames, (const char *)index + LAST_FRAME, sizeof frames);
    return frames;
}

int agentos_pages_register(void) {
    below = sqlite3_vfs_find(0);
    if (!below) return SQLITE_ERROR;
    ours = *below;
    ours.pNext = 0;
    ours.zName = AGENTOS_PAGES;
    ours.szOsFile = (int)sizeof(struct file) + below->szOsFile;
    ours.xOpen = open_file;
    return sqlite3_vfs_register(&ours, 0);
}
