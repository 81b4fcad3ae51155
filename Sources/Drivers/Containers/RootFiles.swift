import CLinux
import Glibc
import Machine

/// The files of a root file system, read where its layers lie: nothing is mounted for it.
struct RootFiles: Sendable {
    /// Directories of the layers, the uppermost first.
    var layers: [String]

    /// The text of a small file; nil when there is none. A link is followed within its own layer.
    func text(_ path: String, bytesMax: Int = 1 << 20) -> String? {
        for layer in layers {
            let root = open(layer, AGENTOS_O_PATH | O_DIRECTORY | O_CLOEXEC)
            guard root >= 0 else { continue }
            defer { close(root) }
            let fd = agentos_open_in_root(root, path, O_RDONLY | O_NONBLOCK)
            if fd >= 0 {
                defer { close(fd) }
                var status = stat()
                // A device stands for what this layer has removed.
                guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
                return Self.text(fd, bytesMax)
            }
            if errno != ENOENT || Self.hides(root, path) { return nil }
        }
        return nil
    }

    private static func text(_ fd: Int32, _ bytesMax: Int) -> String {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        var count = 0
        while count < bytesMax {
            let got = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress! + count, bytesMax - count) }
            if got < 0, errno == EINTR { continue }
            if got <= 0 { break }
            count += got
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The layer has replaced a directory of the path: what lower layers have there is gone.
    private static func hides(_ root: Int32, _ path: String) -> Bool {
        var parent = ""
        for part in path.split(separator: "/").dropLast() {
            parent += parent.isEmpty ? "\(part)" : "/\(part)"
            let fd = agentos_open_in_root(root, parent, O_RDONLY | O_DIRECTORY)
            if fd < 0 { return errno != ENOENT }
            defer { close(fd) }
            var value: UInt8 = 0
            if agentos_get_attribute(fd, "trusted.overlay.opaque", &value, 1) == 1, value == UInt8(ascii: "y") {
                return true
            }
        }
        return false
    }
}
