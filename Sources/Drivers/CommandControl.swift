import Glibc
internal import Reconciler

/// The caller's end of an executed command: its closing ends the command, its lines resize the command's terminal.
final class CommandControl {
    private let fd: Int32
    private let events: EventLoop
    private var isOpen: Bool
    private var text: [UInt8] = []
    private let resized: (_ columns: UInt16, _ rows: UInt16) -> Void
    private let hungUp: () -> Void

    /// Owns the descriptor; -1: nobody hangs up.
    init(
        _ fd: Int32, _ events: EventLoop, resized: @escaping (UInt16, UInt16) -> Void = { _, _ in },
        hungUp: @escaping () -> Void
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
        guard count > 0, text.count < 4096 else {
            stop()
            return hungUp()
        }
        text += chunk[..<count]
        while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
            let words = String(decoding: text[..<end], as: UTF8.self).split(separator: " ")
            text.removeSubrange(...end)
            if words.count == 3, words[0] == "resize", let columns = UInt16(words[1]), let rows = UInt16(words[2]) {
                resized(columns, rows)
            }
        }
    }

    func stop() {
        guard isOpen else { return }
        isOpen = false
        events.unwatch(fd)
        close(fd)
    }
}
