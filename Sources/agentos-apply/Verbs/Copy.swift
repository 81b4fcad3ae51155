import CLinux
import Glibc
import Manifests
import Values

struct Copy: Verb {
    static let name = "cp"
    static let usage = "cp AGENT:PATH PATH | cp PATH AGENT:PATH"
    static let text =
        "Copy a file or a directory out of an agent or into it, as its user; it needs sh, and tar for directories."
    static let operands = Operands.files

    let namespace = NamespaceOption()
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "this replica (default: 0)") var ordinal: Int?

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard invocation.words.count == 2 else { throw invocation.usage("give a source and a target") }
        let places: [CopyPlace]
        do throws(Mistake) { places = [try CopyPlace(invocation.words[0]), try CopyPlace(invocation.words[1])] } catch {
            throw invocation.usage(error.message)
        }
        let remote: RemoteCommands
        func commands(_ agent: String) throws -> RemoteCommands {
            RemoteCommands(
                session: try invocation.session(), agent: agent, namespace: namespace.name, ordinal: ordinal ?? 0)
        }
        switch (places[0], places[1]) {
        case (.agent(let agent, let path), .here(let target)):
            remote = try commands(agent)
            try remote.fetch(path, to: LocalFile.isDirectory(target) ? "\(target)/\(CopyPlace.base(path))" : target)
        case (.here(let source), .agent(let agent, let path)):
            guard LocalFile.exists(source) else { throw CommandProblem(.invalid, "\(source): there is no such file") }
            remote = try commands(agent)
            try remote.send(source, to: path)
        case (.here, .here), (.agent, .agent):
            throw invocation.usage("one of source and target is AGENT:PATH, the other a path of this machine")
        }
        return .success
    }
}

/// Commands beside one replica that move bytes.
private struct RemoteCommands {
    let session: Session
    let agent: String
    let namespace: String
    let ordinal: Int

    /// The exit code of a command, whose streams are those of descriptors here.
    ///
    /// - Parameter cleansUp: a signal does not end this program before the command, which learns of the end of its input.
    private func run(
        _ script: String, _ words: [String], input: Int32?, output: Int32, cleansUp: Bool = false
    ) throws -> Int32 {
        let command = ["sh", "-c", script, "cp"] + words
        let body = Node.map([
            ("command", .list(command.map(Node.text))), ("ordinal", .number(ordinal)),
            ("stdin", Node(.bool(input != nil))),
        ])
        let path = Session.path(.agent, namespace: namespace, name: agent)
        let connection = try session.upgrade("\(path)/exec", to: "v5.channel.k8s.io", body: JSONWriter.bytes(body))
        let interrupts = cleansUp ? agentos_signalfd_daemon() : -1
        let streams = CommandStreams(
            connection, readsInput: input != nil, isTerminal: false, input: input ?? -1, output: output,
            interrupts: interrupts)
        let end = streams.carry()
        if let signal = streams.interruption { agentos_end_by_signal(signal) }
        if interrupts >= 0 { close(interrupts) }
        switch end {
        case .exited(let code):
            if let problem = streams.lost { throw problem }
            return code
        case .late: throw CommandProblem(.timeout, "the copy took too long")
        case .failed(let why): throw CommandProblem(.failure, why)
        case .cut: throw CommandProblem(.failure, "the daemon closed the connection; the copy is not complete")
        }
    }

    private func check(_ code: Int32, _ what: String) throws {
        // What the command had to say of it stands on standard error already.
        if code != 0 {
            throw CommandProblem(.failure, "\(what): the command in agent \"\(agent)\" ended with code \(code)")
        }
    }

    private func isDirectory(_ path: String) throws -> Bool {
        try run("test -d \"$1\"", [path], input: nil, output: 1) == 0
    }

    // MARK: Out

    func fetch(_ path: String, to target: String) throws {
        if try isDirectory(path) { return try fetchDirectory(path, to: target) }
        var there = stat()
        let isThere = lstat(target, &there) == 0
        if isThere, there.st_mode & S_IFMT != S_IFREG { return try fetch(path, through: target) }
        // A copy that is not whole never has the name of one that is, nor is it anybody else's.
        let copy = try WholeFile(target)
        try check(run("cat -- \"$1\"", [path], input: nil, output: copy.fd), path)
        if isThere {
            fchmod(copy.fd, there.st_mode & 0o777)
        } else if try run("test -x \"$1\"", [path], input: nil, output: 1) == 0 {
            fchmod(copy.fd, 0o700)
        }
        try copy.keep()
    }

    /// Into what is no file: a device, a pipe, where a link leads.
    private func fetch(_ path: String, through target: String) throws {
        let fd = open(target, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard fd >= 0 else { throw WholeFile.unwritable(target) }
        defer { close(fd) }
        try check(run("cat -- \"$1\"", [path], input: nil, output: fd), path)
    }

    private func fetchDirectory(_ path: String, to target: String) throws {
        guard mkdir(target, 0o755) == 0 || LocalFile.isDirectory(target) else { throw WholeFile.unwritable(target) }
        // tar keeps to its directory: names that lead out are refused, links come last.
        let tar = try LocalProgram(
            Self.withoutDevices + ["tar", "-x", "-f", "-", "--no-same-owner", "--no-same-permissions", "-C", target],
            pipe: .input)
        let code = try tar.use { try run("tar cf - -C \"$1\" .", [path], input: nil, output: $0) }
        try check(code, path)
        guard tar.end() == 0 else { throw CommandProblem(.failure, "\(target): tar could not unpack the copy") }
    }

    /// What an agent sends to root makes no devices of the machine.
    private static let withoutDevices =
        geteuid() == 0 ? ["setpriv", "--bounding-set=-mknod", "--inh-caps=-mknod"] : []

    // MARK: In

    func send(_ source: String, to path: String) throws {
        if LocalFile.isDirectory(source) {
            let tar = try LocalProgram(["tar", "-c", "-f", "-", "-C", source, "."], pipe: .output)
            let code = try tar.use {
                try run(
                    "[ -d \"$1\" ] && set -- \"$1/$2\"; mkdir -p \"$1\" && tar xf - -C \"$1\"",
                    [path, CopyPlace.base(source)], input: $0, output: 1)
            }
            try check(code, path)
            guard tar.end() == 0 else { throw CommandProblem(.failure, "\(source): tar could not read it whole") }
            return
        }
        let fd = open(source, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            throw CommandProblem(.invalid, "\(source): cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(fd) }
        var status = stat()
        let isKnown = fstat(fd, &status) == 0
        let mode = isKnown ? status.st_mode & 0o777 : 0o644
        // Answers of the kernel are of another length than they say.
        let hasLength = isKnown && status.st_mode & S_IFMT == S_IFREG && agentos_is_of_kernel(fd) == 0
        let bytes = hasLength ? String(status.st_size) : ""
        try check(
            run(
                Self.receiveFile, [path, CopyPlace.base(source), String(mode, radix: 8), bytes], input: fd, output: 1,
                cleansUp: hasLength), path)
    }

    /// An end of the input is no end of the file when the connection has broken: what is not whole gets no name.
    private static let receiveFile = #"""
        case "$1" in -*) t="./$1";; *) t="$1";; esac
        [ -d "$t" ] && t="$t/$2"
        # Of copies that were killed.
        for f in "$t".agentos-cp-*; do
            n="${f##*-}"; case "$n" in ''|*[!0-9]*) continue;; esac
            [ -f "$f" ] && [ ! -d "/proc/$n" ] && rm -f "$f"
        done
        p="$t.agentos-cp-$$"
        trap 'rm -f "$p"; exit 1' HUP INT TERM
        cat > "$p" || { rm -f "$p"; exit 1; }
        if [ -n "$4" ] && [ "$(wc -c < "$p")" -ne "$4" ]; then
            echo "$t: only a part has come, or the file has changed meanwhile" >&2
            rm -f "$p"; exit 1
        fi
        chmod "$3" "$p" && mv "$p" "$t" || { rm -f "$p"; exit 1; }
        """#
}
