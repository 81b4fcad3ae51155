#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "CLinux.h"

int agentos_open_path(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

int agentos_is_of_kernel(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    switch ((unsigned long)status.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case BPF_FS_MAGIC:
        return 1;
    default:
        return 0;
    }
}
