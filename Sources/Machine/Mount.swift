import Glibc

/// What is mounted, as this process sees it.
package struct Mount: Sendable {
    package var place: String
    package var type: String
    package var options: Set<Substring>

    /// All of them, in the order in which they were mounted.
    package static var all: [Mount] { all(in: Files.text("/proc/self/mounts", limit: 16 << 20) ?? "") }

    /// Those of a text in the form of /proc/self/mounts.
    package static func all(in text: String) -> [Mount] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count >= 4 else { return nil }
            return Mount(
                place: unescaped(fields[1]), type: String(fields[2]), options: Set(fields[3].split(separator: ",")))
        }
    }

    /// The one of these that a path is on, told by the names alone: the last of the longest.
    ///
    /// - Parameter path: absolute, without links where those are known.
    package static func of(_ path: String, _ mounts: [Mount]) -> Mount? {
        mounts.enumerated().filter { _, mount in
            mount.place == "/" || path == mount.place || path.hasPrefix("\(mount.place)/")
        }.max { ($0.element.place.utf8.count, $0.offset) < ($1.element.place.utf8.count, $1.offset) }?.element
    }

    /// Blanks and their like stand there as `\040`.
    package static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) })
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(digits.reduce(0) { $0 << 3 | ($1 - 0x30) })
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
