import CLinux
public import Values

/// The clocks of this machine.
public protocol Clock: Sendable {
    func now() -> Moment
}

/// The clocks of the kernel.
public struct SystemClock: Clock {
    private let boot: UInt64

    public init() {
        // A hash of the boot's name, with the line end that it has in its file, is enough to tell boots apart.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(ProcessTable.bootID)\n".utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        boot = hash >> 1
    }

    public func now() -> Moment { Moment(wallMs: agentos_wall_ms(), boot: boot, bootMs: agentos_boot_ms()) }
}
