import CCurl
import CLinux
import Glibc
import Machine
import Synchronization

/// A connection over TLS that has left HTTP: its bytes go through a socket pair, so that whoever uses it need not know.
///
/// A thread of its own carries them. It holds one piece in each direction, and reads no more while that waits.
enum TLSTunnel {
    private static let connectMs: Int64 = 20_000

    /// What the thread says of its beginning.
    private final class Outcome: Sendable {
        let failure = Mutex<Client.Failure?>(nil)
    }

    /// - Returns: the near end of the connection, for the caller to close.
    static func open(_ server: RemoteDaemon) throws(Client.Failure) -> Int32 {
        var pair: [Int32] = [0, 0]
        guard agentos_socket_pair(&pair) == 0 else { throw .cut(String(cString: strerror(errno))) }
        let (near, far) = (pair[0], pair[1])
        let outcome = Outcome()
        agentos_gate_closes_at_exit()
        startThread(name: "tls") {
            // Signals are the main thread's, which may wait for them on a descriptor.
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            let carrier = TLSCarrier(far)
            do throws(Client.Failure) { try carrier.run(server, connectMs: connectMs) } catch {
                outcome.failure.withLock { $0 = error }
            }
            // Only now: who finds it closed asks why.
            close(far)
        }
        var ready: UInt8 = 0
        var count = 0
        repeat { count = read(near, &ready, 1) } while count < 0 && errno == EINTR
        if count == 1 { return near }
        close(near)
        throw outcome.failure.withLock { $0 } ?? .cut("the connection was closed")
    }
}

/// Carries bytes between a connection over TLS and a socket, until one of them ends.
private final class TLSCarrier {
    private let local: Int32
    private var outward: ArraySlice<UInt8> = []
    private var inward: ArraySlice<UInt8> = []
    private var chunk = [UInt8](repeating: 0, count: 65_536)
    private var isOver = false

    init(_ local: Int32) { self.local = local }

    func run(_ server: RemoteDaemon, connectMs: Int64) throws(Client.Failure) {
        try carry(Transfer(connectingTo: server, timeoutMs: connectMs))
    }

    private func carry(_ transfer: Transfer) {
        var ready: UInt8 = 0
        _ = write(local, &ready, 1)
        _ = fcntl(local, F_SETFL, fcntl(local, F_GETFL) | O_NONBLOCK)
        // Nobody touches the library while the program ends: it takes its own things apart then.
        agentos_gate_enter()
        while true {
            let hasMoved = [sendOut(transfer), takeOut(), takeIn(transfer), sendIn()].contains(true)
            if isOver, inward.isEmpty { break }
            if hasMoved { continue }
            let here = Int16((outward.isEmpty ? POLLIN : 0) | (inward.isEmpty ? 0 : POLLOUT))
            let there = Int16((inward.isEmpty ? POLLIN : 0) | (outward.isEmpty ? 0 : POLLOUT))
            // Who is neither read nor written is not looked at: that it has ended would be told again and again.
            var polls = [
                pollfd(fd: here == 0 ? -1 : local, events: here, revents: 0),
                pollfd(fd: isOver || there == 0 ? -1 : transfer.descriptor, events: there, revents: 0),
            ]
            agentos_gate_leave()
            _ = poll(&polls, nfds_t(polls.count), -1)
            agentos_gate_enter()
        }
        transfer.end()
        agentos_gate_leave()
    }

    private func takeOut() -> Bool {
        guard outward.isEmpty, !isOver else { return false }
        let count = read(local, &chunk, chunk.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return false }
        if count <= 0 {
            // Who has closed his end wants nothing more.
            inward = []
            isOver = true
            return false
        }
        outward = chunk[..<count]
        return true
    }

    private func sendOut(_ transfer: Transfer) -> Bool {
        guard !outward.isEmpty, !isOver else { return false }
        switch transfer.send(outward) {
        case .some(let count):
            outward = outward.dropFirst(count)
            return count > 0
        case nil:
            isOver = true
            return false
        }
    }

    private func takeIn(_ transfer: Transfer) -> Bool {
        guard inward.isEmpty, !isOver else { return false }
        switch transfer.receive(into: &chunk) {
        case .some(let count):
            inward = chunk[..<count]
            return count > 0
        case nil:
            isOver = true
            return false
        }
    }

    private func sendIn() -> Bool {
        guard !inward.isEmpty else { return false }
        let count = inward.withUnsafeBytes { Glibc.send(local, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count < 0, errno == EAGAIN || errno == EINTR { return false }
        if count < 0 {
            inward = []
            isOver = true
            return false
        }
        inward = inward.dropFirst(count)
        return true
    }
}
