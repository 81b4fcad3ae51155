import CLinux
import Glibc
import Machine
import Reconciler

/// Carries the streams of one executed command between descriptors and the FIFOs that containerd's shim opens.
final class StreamRelay {
    let input: String
    let output: String
    let error: String
    private let directory: String
    private let events: EventLoop
    private let streams: CommandEnds
    private let isTerminal: Bool
    /// Hold the FIFOs open until the shim has its ends.
    private var held: [Int32] = []
    private var carriers: [Carrier] = []
    private var openOutputs = 0
    private var onDrained: (() -> Void)?

    init(_ streams: CommandEnds, isTerminal: Bool, directory parent: String, events: EventLoop) {
        self.events = events
        self.isTerminal = isTerminal
        self.streams = streams
        directory = "\(parent)/.exec-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        input = "\(directory)/in"
        output = "\(directory)/out"
        error = "\(directory)/err"
        mkdir(directory, 0o700)
        for path in [input, output, error] {
            mkfifo(path, 0o600)
            // Both ways open, so that nobody waits for the other side.
            held.append(Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC))
        }
    }

    /// Begins to carry; call when the shim has opened its ends.
    func open(inputEnded: @escaping () -> Void) {
        if isTerminal {
            // The terminal that counts is the shim's; the caller's is only a way there.
            var settings = termios()
            tcgetattr(streams.input, &settings)
            cfmakeraw(&settings)
            tcsetattr(streams.input, TCSANOW, &settings)
        }
        // From now on reading ends when the last writer is gone.
        for (path, target) in [(output, streams.output)] + (isTerminal ? [] : [(error, streams.error)]) {
            openOutputs += 1
            let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            carriers.append(
                Carrier(from: reader, to: dup(target), events, isOutput: true) { [unowned self] in
                    openOutputs -= 1
                    if openOutputs == 0 { onDrained?() }
                })
        }
        let writer = Glibc.open(input, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        carriers.append(Carrier(from: dup(streams.input), to: writer, events, ended: inputEnded))
        for fd in held { Glibc.close(fd) }
        held = []
    }

    /// Waits until all that was written has been carried; a second at most when nothing comes any more and something
    /// holds the ends open. A caller who takes it slowly gets all of it.
    func drain() async {
        guard openOutputs > 0 else { return }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            var isResumed = false
            func resume() {
                if !isResumed { continuation.resume() }
                isResumed = true
            }
            onDrained = resume
            func wait() {
                let before = outputsCarried
                events.after(ms: 1000) { [self] in
                    let isCarrying = outputs.contains { $0.isHeldBack } || outputsCarried != before
                    if isCarrying, !isResumed { wait() } else { resume() }
                }
            }
            wait()
        }
    }

    private var outputs: [Carrier] { carriers.filter { $0.isOutput } }
    private var outputsCarried: Int { outputs.reduce(0) { $0 + $1.carried } }

    func close() {
        onDrained = nil
        for carrier in carriers { carrier.stop() }
        for fd in held + [streams.input, streams.output, streams.error] where fd >= 0 { Glibc.close(fd) }
        held = []
        Files.removeTree(directory)
    }
}

/// Copies from one descriptor to another until the first ends or the second is closed; owns both. Reads no more than the
/// other side takes.
final class Carrier {
    private let from: Int32
    private let to: Int32
    private let events: EventLoop
    private let ended: () -> Void
    private var pending: ArraySlice<UInt8> = []
    private var isOpen = true
    let isOutput: Bool
    /// Bytes so far.
    private(set) var carried = 0
    /// The other side does not take what was read.
    var isHeldBack: Bool { isOpen && !pending.isEmpty }

    init(from: Int32, to: Int32, _ events: EventLoop, isOutput: Bool = false, ended: @escaping () -> Void) {
        self.from = from
        self.to = to
        self.events = events
        self.ended = ended
        self.isOutput = isOutput
        guard from >= 0, to >= 0 else {
            finish()
            return
        }
        for fd in [from, to] { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
        read()
    }

    private func read() {
        events.watch(from) { [unowned self] _ in
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = Glibc.read(from, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            guard count > 0 else { return finish() }
            pending = chunk[..<count]
            write()
        }
    }

    private func write() {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes { Glibc.write(to, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                events.unwatch(from)
                let isWatched = events.watch(to, events: 4) { [unowned self] _ in
                    events.unwatch(to)
                    write()
                    if isOpen, pending.isEmpty { read() }
                }
                if !isWatched { finish() }
                return
            }
            guard count > 0 else { return finish() }
            pending = pending.dropFirst(count)
            carried += count
        }
    }

    private func finish() {
        guard isOpen else { return }
        stop()
        ended()
    }

    func stop() {
        guard isOpen else { return }
        isOpen = false
        for fd in [from, to] where fd >= 0 {
            events.unwatch(fd)
            close(fd)
        }
    }
}
