/// The capabilities of the kernel that a manifest may drop.
public enum Capabilities {
    /// What a container may do beyond an ordinary user when it is root inside: Docker's set without raw sockets and
    /// device nodes.
    public static let defaults = [
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
        "SETPCAP",
        "SETUID",
    ]

    /// Kubernetes writes capabilities without `CAP_`; with it is understood too.
    static func plainName(_ name: String) -> String {
        name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name
    }
}
