/// Linux signals by name, with or without `SIG`: what may be named as `stopSignal`, by manifests and images.
public enum Signals {
    public static let terminate: Int32 = 15

    /// Of the numbers from 1 on.
    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]

    /// Those without a meaning of their own, as C libraries count them.
    private static let realtime: ClosedRange<Int32> = 34...64

    /// Also of `RTMIN+N` and `RTMAX-N`.
    public static func number(of name: String) -> Int32? {
        let plain = name.hasPrefix("SIG") ? name.dropFirst(3) : name[...]
        if let index = names.firstIndex(where: { $0 == plain }) { return Int32(index + 1) }
        for (word, sign, bound) in [("RTMIN", "+", realtime.lowerBound), ("RTMAX", "-", realtime.upperBound)]
        where plain.hasPrefix(word) {
            let rest = plain.dropFirst(word.utf8.count)
            if rest.isEmpty { return bound }
            guard rest.hasPrefix(sign), rest.utf8.count <= 3, let distance = UInt8(rest.dropFirst()) else { return nil }
            let number = sign == "+" ? bound + Int32(distance) : bound - Int32(distance)
            return realtime.contains(number) ? number : nil
        }
        return nil
    }

    public static func name(of number: Int32) -> String {
        if number >= 1, number <= names.count { return "SIG\(names[Int(number) - 1])" }
        if number == realtime.lowerBound { return "SIGRTMIN" }
        return realtime.contains(number) ? "SIGRTMIN+\(number - realtime.lowerBound)" : "SIG\(number)"
    }
}
