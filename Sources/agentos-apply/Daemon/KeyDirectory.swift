import API
import Glibc
import Machine
import Values

/// Where the daemon keeps the keys that it has made for itself: `pki` in its state directory, for its user alone.
struct KeyDirectory {
    let path: String

    init(_ paths: Paths) throws(CommandProblem) {
        path = "\(paths.state)/pki"
        do throws(Files.Failure) {
            try Files.makeDirectory(path)
            chmod(path, 0o700)
            try Files.sync(paths.state)
        } catch { throw CommandProblem(.failure, error.words) }
    }

    func place(of name: String) -> String { "\(path)/\(name)" }

    /// Nil when there is none yet.
    func text(_ name: String) throws(CommandProblem) -> String? {
        guard LocalFile.exists(place(of: name)) else { return nil }
        return String(
            decoding: try LocalFile.readRegular(place(of: name), limit: Limits.pemBytesMax).bytes, as: UTF8.self)
    }

    /// Guarantee: what others were given by a key outlives a power loss, since the key does.
    func keep(_ text: String, as name: String) throws(CommandProblem) {
        do throws(Files.Failure) {
            try Files.replace(place(of: name), Array(text.utf8), isDurable: true)
        } catch { throw CommandProblem(.failure, "\(error.words): cannot be written") }
    }
}
