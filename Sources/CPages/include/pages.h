#ifndef AGENTOS_PAGES_H
#define AGENTOS_PAGES_H

#include <stdint.h>

/// The name of a SQLite file system that ends each page of a database with a checksum, and compares it when the page is
/// read. A page that differs is an I/O error (SQLITE_IOERR_DATA).
#define AGENTOS_PAGES "agentos-pages"

/// Bytes at the end of a page that SQLite leaves to us.
#define AGENTOS_PAGES_RESERVED 8

/// Of files that are new.
#define AGENTOS_PAGES_SIZE 4096

/// For sqlite3_file_control: whether pages are compared when they are read (int *; they are unless told otherwise).
#define AGENTOS_PAGES_COMPARE 0x41470001

/// Makes the file system known to SQLite; a SQLite code.
int agentos_pages_register(void);

/// The first page, from 1 on, that was found to differ on this thread since it was asked last; 0: none.
int64_t agentos_pages_damaged(void);

struct sqlite3;

/// How many frames of the write-ahead log are committed, from SQLite's own index of it: a file of ours beside it would
/// take SQLite's locks along when it is closed. Assumes: the connection is in a transaction that has read.
int64_t agentos_pages_committed_frames(struct sqlite3 *database);

#endif
