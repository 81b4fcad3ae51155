import Glibc

/// What the kernel passes on to a program at most.
///
/// Source: execve(2), "Limits on size of arguments and environment".
package enum ProgramLimits {
    /// Bytes of one argument or variable, with the byte that ends it.
    package static let stringBytesMax = 131_072

    /// Bytes of all together, with a pointer for each.
    package static var bytesMax: Int {
        var stack = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(3), &stack) == 0  // RLIMIT_STACK
        return min(6 << 20, max(131_072, Int(clamping: isKnown ? stack.rlim_cur / 4 : 2 << 20)))
    }

    /// Why a program cannot get these; names variables, never their values.
    package static func refusal(arguments: [String], environment: [(name: String, value: String)]) -> String? {
        var bytes = 0
        var largest = (what: "", bytes: 0)
        func refusal(of what: String, _ texts: [String]) -> String? {
            let count = texts.reduce(1) { $0 + $1.utf8.count }
            if texts.contains(where: { $0.utf8.contains(0) }) {
                return "\(what) holds a zero byte, which no program can be given"
            }
            if count > stringBytesMax {
                return "\(what) has \(count) bytes; the kernel gives a program \(stringBytesMax) at most"
            }
            bytes += count + MemoryLayout<UnsafeRawPointer>.size
            if count > largest.bytes { largest = (what, count) }
            return nil
        }
        for (number, argument) in arguments.enumerated() {
            if let why = refusal(of: number == 0 ? "the command" : "argument \(number)", [argument]) { return why }
        }
        for (name, value) in environment {
            if let why = refusal(of: "the variable \(name)", [name, "=", value]) { return why }
        }
        if bytes <= bytesMax { return nil }
        return "arguments and environment have \(bytes) bytes; the kernel gives a program \(bytesMax) at most "
            + "(the largest: \(largest.what) with \(largest.bytes))"
    }
}
