import CLinux
import Glibc
import Machine

/// A listening socket. It is not watched while there is no place for a connection: what waits then waits in the kernel.
final class Listener {
    enum Attempt {
        /// May one more connection be accepted?
        case wantsPlace
        /// The process has no descriptor left; has one become free?
        case wantsDescriptor
        case accepted(Int32)
    }

    private let fd: Int32
    private let events: EventLoop
    private let admit: (Attempt) -> Bool
    private var isArmed = false
    private var isClosed = false

    init(fd: Int32, events: EventLoop, admit: @escaping (Attempt) -> Bool) {
        self.fd = fd
        self.events = events
        self.admit = admit
        let flags = fcntl(fd, F_GETFL)
        _ = fcntl(fd, F_SETFL, flags | O_NONBLOCK)
        arm()
    }

    /// Begins to accept again; called when a connection has gone, and from time to time.
    func arm() {
        if isArmed || isClosed { return }
        isArmed = events.watch(fd) { [unowned self] _ in accept() }
    }

    private func disarm() {
        if isArmed { events.unwatch(fd) }
        isArmed = false
    }

    func close() {
        disarm()
        isClosed = true
        Glibc.close(fd)
    }

    private static let acceptsAtOnceMax = 64

    private var someoneWaits: Bool {
        var poll = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }

    private func accept() {
        for _ in 0..<Self.acceptsAtOnceMax {
            guard admit(.wantsPlace) else { return disarm() }
            let client = Glibc.accept(fd, nil, nil)
            if client >= 0 {
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                _ = fcntl(client, F_SETFL, fcntl(client, F_GETFL) | O_NONBLOCK)
                _ = admit(.accepted(client))
                continue
            }
            switch errno {
            case EAGAIN: return
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // The kernel asks for a descriptor before it looks whether anybody waits.
                guard someoneWaits else { return }
                // Nothing can be accepted before something is closed. Watched, the socket would spin meanwhile.
                if !admit(.wantsDescriptor) { return disarm() }
            default: return disarm()
            }
        }
    }
}
