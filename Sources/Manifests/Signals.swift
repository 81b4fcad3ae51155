/// Linux signals that may be named as `stopSignal`, with or without `SIG`.
public enum Signals {
    static let terminate: Int32 = 15

    private static let names: [(String, Int32)] = [
        ("SIGHUP", 1), ("SIGINT", 2), ("SIGQUIT", 3), ("SIGKILL", 9), ("SIGUSR1", 10), ("SIGUSR2", 12),
        ("SIGTERM", 15), ("SIGCONT", 18), ("SIGWINCH", 28),
    ]

    public static func number(of name: String) -> Int32? {
        names.first { $0.0 == name || $0.0.dropFirst(3) == name[...] }?.1
    }

    public static func name(of number: Int32) -> String {
        let more: [Int32: String] = [
            4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 13: "SIGPIPE", 31: "SIGSYS",
        ]
        return names.first { $0.1 == number }?.0 ?? more[number] ?? "SIG\(number)"
    }
}
