import Glibc

/// The descriptors of a command whose streams somebody carries. Whoever is given them closes them.
package struct CommandEnds: Sendable {
    package var input: Int32
    package var output: Int32
    package var error: Int32
    /// Ends the command when it is closed at the other end; a byte says that the terminal has another size.
    package var control: Int32

    /// Closes all but `control`.
    func closeStreams() {
        for fd in [input, output, error] where fd >= 0 { close(fd) }
    }
}
