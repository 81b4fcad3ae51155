// Small questions to the kernel that several rooms have.
#pragma once
#include <stddef.h>
#include <sys/types.h>

// Writes all of it; -1 with errno. A write that a signal interrupts goes on.
int write_all(int fd, const char *p, size_t n);
// Reads until the end of the file or the room is full; -1 with errno.
ssize_t read_all(int fd, char *p, size_t n);
// A file of the kernel as text, ended by a zero byte; the number of bytes, or -1 with errno.
ssize_t read_text(const char *path, char *text, size_t room);

long long wall_ms(void);
long long boot_ms(void);
// Field 22 of /proc/PID/stat; 0 when there is no such process.
unsigned long long start_time(pid_t pid);
// The same as waitpid, but a signal does not interrupt it.
pid_t wait_for(pid_t pid, int *status, int flags);
