import CLinux
import Glibc
public import Values

/// The clocks of this machine.
public protocol Clock: Sendable {
    func now() -> Moment
}

/// The clocks of the kernel.
public struct SystemClock: Clock {
    private let boot: UInt64

    public init() {
        // /proc/sys/kernel/random/boot_id names the boot; its hash is enough to tell boots apart.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = fd >= 0 ? read(fd, &bytes, 64) : 0
        if fd >= 0 { close(fd) }
        for byte in bytes.prefix(max(0, count)) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        boot = hash >> 1
    }

    public func now() -> Moment { Moment(wallMs: agentos_wall_ms(), boot: boot, bootMs: agentos_boot_ms()) }
}
