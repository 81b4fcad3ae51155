import Glibc
import Machine
import Reconciler

/// The caller's end of an executed command: its closing ends the command, a byte says that its
/// terminal has another size.
final class CommandControl {
    private let fd: Int32
    private let events: EventLoop
    private var isOpen: Bool
    private let resized: () -> Void
    private let hungUp: () -> Void

    /// Owns the descriptor; -1: nobody hangs up.
    init(
        _ fd: Int32, _ events: EventLoop, resized: @escaping () -> Void = {}, hungUp: @escaping () -> Void
    ) {
        self.fd = fd
        self.events = events
        self.resized = resized
        self.hungUp = hungUp
        isOpen = fd >= 0
        if isOpen { events.watch(fd) { [unowned self] _ in read() } }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 512)
        let count = recv(fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        if count > 0 { return resized() }
        stop()
        hungUp()
    }

    func stop() {
        guard isOpen else { return }
        isOpen = false
        events.unwatch(fd)
        close(fd)
    }
}
