import Glibc
import Manifests
import Reconciler
import Values

/// What the user sees.
enum Terminal {
    static let isInteractive = isatty(1) == 1
    static let hasColor =
        isInteractive && getenv("NO_COLOR") == nil && getenv("TERM").map { String(cString: $0) } != "dumb"

    static func print(_ text: String) {
        write(text.hasSuffix("\n") ? text : text + "\n", to: 1)
    }

    static func printError(_ text: String) {
        write("agentos-apply: " + (text.hasSuffix("\n") ? text : text + "\n"), to: 2)
    }

    /// A note for people, beside the result.
    static func note(_ text: String) { write(text + "\n", to: 2) }

    private static func write(_ text: String, to fd: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Replaces the current line on a terminal; nothing elsewhere.
    static func live(_ text: String) {
        guard isInteractive else { return }
        write("\r\u{1b}[K\(text)", to: 1)
    }

    static func colored(_ text: String, phase: String) -> String {
        guard hasColor else { return text }
        let code =
            switch phase {
            case "Ready", "Completed", "True": "32"
            case "Failed", "BackingOff", "False": "31"
            case "Starting", "Stopping", "Scheduled", "Created": "33"
            default: "0"
            }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    /// Columns as wide as their widest cell; the column named PHASE is coloured.
    static func table(_ header: [String], _ rows: [[String]], withHeader: Bool = true) -> String {
        var widths = header.map(\.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        let phase = header.firstIndex(of: "PHASE")
        func line(_ cells: [String], colours: Bool) -> String {
            var out = ""
            for (index, cell) in cells.enumerated() {
                let shown = colours && index == phase ? colored(cell, phase: cell) : cell
                out += shown
                if index < cells.count - 1 { out += String(repeating: " ", count: widths[index] - cell.count + 2) }
            }
            return out + "\n"
        }
        return (withHeader ? line(header, colours: false) : "") + rows.map { line($0, colours: true) }.joined()
    }

    /// `12s`, `5m`, `3h`, `2d`: how long ago.
    static func age(_ timestamp: String?, nowMs: Int64) -> String {
        guard let timestamp, let ms = Timestamp.parse(timestamp) else { return "<unknown>" }
        let seconds = max(0, (nowMs - ms) / 1000)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7200: return "\(seconds / 60)m"
        case ..<172_800: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
