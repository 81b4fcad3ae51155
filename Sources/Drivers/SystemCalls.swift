import CSeccomp
import Glibc
import Machine
import Manifests
import Values

/// The system calls that agents may make; one list for all drivers.
///
/// What is not named here is answered as if this kernel did not have it, so that libraries fall back; what would let a
/// process out of its isolation, or change the machine, is refused with EPERM.
enum SystemCalls {
    static let allowed = Set(
        """
        accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_getres
        clock_gettime clock_nanosleep clone close close_range connect copy_file_range creat dup dup2 dup3 epoll_create
        epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve
        execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
        fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync
        ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu
        getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid
        getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday
        getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
        io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
        landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr
        lstat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
        mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap
        msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat openat2 pause
        pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv
        preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
        recvfrom recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
        rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
        sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto
        set_mempolicy_home_node set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups
        setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr
        shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socket socketpair splice stat statfs statx
        symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun
        timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname
        unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid write writev
        """.split(whereSeparator: \.isWhitespace).map(String.init)
    ).subtracting(["clone"])

    static let refused = Set(
        """
        acct add_key adjtimex bpf chroot clock_adjtime clock_settime create_module delete_module fanotify_init
        finit_module fsconfig fsmount fsopen fspick get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load
        keyctl lookup_dcookie mbind migrate_pages modify_ldt mount mount_setattr move_mount move_pages name_to_handle_at
        nfsservctl open_by_handle_at open_tree perf_event_open personality pidfd_getfd pivot_root process_madvise
        process_vm_readv process_vm_writev ptrace query_module quotactl quotactl_fd reboot request_key set_mempolicy
        setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog umount2 unshare uselib userfaultfd ustat
        vhangup
        """.split(whereSeparator: \.isWhitespace).map(String.init))

    /// Flags of clone(2) that make new namespaces.
    static let namespaceFlags: UInt64 = 0x7e02_0000

    /// The filter for processes, as the kernel takes it, in hexadecimal digits; nil when this machine cannot have one.
    static func filter() -> String? {
        guard let context = seccomp_init(agentos_scmp_missing) else { return nil }
        defer { seccomp_release(context) }
        for (names, action) in [(allowed, agentos_scmp_allow), (refused, agentos_scmp_refused)] {
            for name in names.sorted() {
                let number = seccomp_syscall_resolve_name(name)
                // Not every machine has every call.
                guard number != agentos_scmp_unknown, number >= 0 else { continue }
                guard seccomp_rule_add_array(context, action, number, 0, nil) == 0 else { return nil }
            }
        }
        var sameNamespaces = scmp_arg_cmp(
            arg: 0, op: SCMP_CMP_MASKED_EQ, datum_a: namespaceFlags, datum_b: 0)
        let clone = seccomp_syscall_resolve_name("clone")
        guard seccomp_rule_add_array(context, agentos_scmp_allow, clone, 1, &sameNamespaces) == 0,
            let file = try? Files.memory([])
        else { return nil }
        defer { close(file) }
        guard seccomp_export_bpf(context, file) == 0 else { return nil }
        var program = [UInt8](repeating: 0, count: Int(max(0, lseek(file, 0, SEEK_CUR))))
        guard !program.isEmpty, pread(file, &program, program.count, 0) == program.count else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: program.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The profile as the OCI runtime specification writes it.
    static var profile: Node {
        func rule(_ names: some Sequence<String>, _ action: String, errno: Int? = nil, args: Node? = nil) -> Node {
            .map([
                ("names", .list(names.sorted().map { .text($0) })), ("action", .text(action)),
                ("errnoRet", errno.map { .number($0) }), ("args", args),
            ])
        }
        let sameNamespaces: Node = .list([
            .map([
                ("index", 0), ("value", .number(Int64(namespaceFlags))), ("valueTwo", 0), ("op", "SCMP_CMP_MASKED_EQ"),
            ])
        ])
        return .map([
            ("defaultAction", "SCMP_ACT_ERRNO"), ("defaultErrnoRet", 38),
            (
                "syscalls",
                .list([
                    rule(allowed, "SCMP_ACT_ALLOW"), rule(["clone"], "SCMP_ACT_ALLOW", args: sameNamespaces),
                    rule(refused, "SCMP_ACT_ERRNO", errno: 1),
                ])
            ),
        ])
    }
}

/// What holds an agent's system calls.
public enum SystemCallFilter: Sendable {
    /// The program of seccomp(2), in hexadecimal digits.
    case program(String)
    /// This machine cannot have one: nothing that needs it is started.
    case missing

    /// The filter of process agents on this machine.
    public static func ofThisMachine() -> SystemCallFilter { SystemCalls.filter().map { .program($0) } ?? .missing }

    /// What the supervisor takes; nil: what cannot be protected is not started.
    var digits: String? {
        switch self {
        case .program(let digits): digits
        case .missing: nil
        }
    }
}
