import CLinux
import Glibc

/// Names as they are in a directory, which may be of any encoding.
enum FileName {
    /// The bytes, with a zero at their end.
    typealias Bytes = [CChar]

    /// For people: what is no UTF-8 is replaced.
    static func text(_ name: Bytes) -> String {
        String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Reads an open directory from its beginning, its two names for itself and what is above it aside.
    ///
    /// - Parameters:
    ///   - what: how an error names the directory.
    ///   - take: false: no more names are wanted.
    static func each(
        in directory: Int32, _ what: String = "", _ take: (Bytes) throws(Files.Failure) -> Bool
    ) throws(Files.Failure) {
        let fd = agentos_open_inside(directory, ".")
        guard fd >= 0, let handle = fdopendir(fd) else {
            let code = errno
            if fd >= 0 { close(fd) }
            throw Files.Failure(code: code, what: what)
        }
        defer { closedir(handle) }
        let dot = CChar(UInt8(ascii: "."))
        while true {
            errno = 0
            guard let entry = readdir(handle) else { break }
            let name: Bytes = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            if name == [dot, 0] || name == [dot, dot, 0] { continue }
            if try !take(name) { return }
        }
        guard errno == 0 else { throw Files.Failure(code: errno, what: what) }
    }
}
