import CLinux
import Glibc
import Machine
import Synchronization

/// A connection over TLS whose bytes go through a socket pair, so that whoever uses it need not know.
///
/// A thread of its own makes it and carries them. It holds one piece in each direction, and reads no more while that waits.
struct TLSTunnel: Sendable {
    private static let connectMs: Int64 = 20_000

    /// What the thread says of its end.
    private final class Outcome: Sendable {
        let failure = Mutex<Client.Failure?>(nil)
    }

    /// The near end, for the caller to close. It takes bytes at once; when there is no connection, it ends.
    let near: Int32
    private let outcome = Outcome()

    /// Why it has ended; nil when the server has ended it.
    var failure: Client.Failure? { outcome.failure.withLock { $0 } }

    init(_ server: RemoteDaemon) throws(Client.Failure) {
        var pair: [Int32] = [0, 0]
        guard agentos_socket_pair(&pair) == 0 else { throw Client.Failure(connecting: errno) }
        near = pair[0]
        let far = pair[1]
        let isStarted = tryThread(name: "tls") { [outcome] in
            // Signals are the main thread's, which may wait for them on a descriptor.
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            do throws(Client.Failure) {
                let connection = try TLSConnection(server, timeoutMs: Self.connectMs)
                try TLSCarrier(far, connection).run()
            } catch {
                outcome.failure.withLock { $0 = error }
            }
            // Only now: who finds it closed asks why.
            close(far)
        }
        guard isStarted else {
            close(near)
            close(far)
            throw .unable("there is no thread for another connection; 'ulimit -u' says how many there may be")
        }
    }
}

/// Carries bytes between a connection over TLS and a socket, until one of them ends.
private final class TLSCarrier {
    private let local: Int32
    private let connection: TLSConnection
    private var outward: ArraySlice<UInt8> = []
    private var inward: ArraySlice<UInt8> = []
    private var chunk = [UInt8](repeating: 0, count: 65_536)
    private var isOver = false
    private var failure: Client.Failure?

    init(_ local: Int32, _ connection: TLSConnection) {
        self.local = local
        self.connection = connection
    }

    func run() throws(Client.Failure) {
        _ = fcntl(local, F_SETFL, fcntl(local, F_GETFL) | O_NONBLOCK)
        while true {
            let hasMoved = [sendOut(), takeOut(), takeIn(), sendIn()].contains(true)
            if isOver, inward.isEmpty { break }
            if hasMoved { continue }
            let here = Int16((outward.isEmpty && !isOver ? POLLIN : 0) | (inward.isEmpty ? 0 : POLLOUT))
            let there = Int16((inward.isEmpty ? POLLIN : 0) | (outward.isEmpty ? 0 : POLLOUT))
            // Who is neither read nor written is not looked at: that it has ended would be told again and again.
            var polls = [
                pollfd(fd: here == 0 ? -1 : local, events: here, revents: 0),
                pollfd(fd: isOver || there == 0 ? -1 : connection.descriptor, events: there, revents: 0),
            ]
            _ = poll(&polls, nfds_t(polls.count), -1)
        }
        if let failure { throw failure }
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

    private func sendOut() -> Bool {
        guard !outward.isEmpty, !isOver else { return false }
        let count = moved { () throws(Client.Failure) in try connection.send(outward) } ?? 0
        outward = outward.dropFirst(count)
        return count > 0
    }

    private func takeIn() -> Bool {
        guard inward.isEmpty, !isOver else { return false }
        let count = moved { () throws(Client.Failure) in try connection.receive(into: &chunk) } ?? 0
        inward = chunk[..<count]
        return count > 0
    }

    /// What the connection has taken or given; nil: it is over. What came before is still handed on.
    private func moved(_ move: () throws(Client.Failure) -> Int?) -> Int? {
        do throws(Client.Failure) {
            if let count = try move() { return count }
        } catch {
            failure = error
        }
        isOver = true
        return nil
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
