import Drivers
import Testing

/// What an image is called by manifests, image stores and registries.
@Suite struct ImageReferenceTests {
    private static let digest = "sha256:\(String(repeating: "0a", count: 32))"

    struct Row: Sendable, CustomTestStringConvertible {
        var written: String
        var full: String
        var host: String
        var names: [String]
        var testDescription: String { written }
    }

    static let rows = [
        Row(
            written: "busybox", full: "docker.io/library/busybox:latest", host: "docker.io",
            names: ["busybox", "busybox:latest", "docker.io/library/busybox:latest"]),
        Row(
            written: "busybox:1", full: "docker.io/library/busybox:1", host: "docker.io",
            names: ["busybox:1", "docker.io/library/busybox:1"]),
        Row(
            written: "me/tool", full: "docker.io/me/tool:latest", host: "docker.io",
            names: ["me/tool", "me/tool:latest", "docker.io/me/tool:latest"]),
        Row(
            written: "localhost/busybox:latest", full: "localhost/busybox:latest", host: "localhost",
            names: ["localhost/busybox:latest"]),
        Row(
            written: "127.0.0.1:5000/tools", full: "127.0.0.1:5000/tools:latest", host: "127.0.0.1",
            names: ["127.0.0.1:5000/tools", "127.0.0.1:5000/tools:latest"]),
        Row(
            written: "ghcr.io/a/b@\(digest)", full: "ghcr.io/a/b@\(digest)", host: "ghcr.io",
            names: ["ghcr.io/a/b@\(digest)", "ghcr.io/a/b:latest"]),
        Row(
            written: "busybox@\(digest)", full: "docker.io/library/busybox@\(digest)", host: "docker.io",
            names: [
                "busybox@\(digest)", "busybox:latest", "docker.io/library/busybox:latest",
                "docker.io/library/busybox@\(digest)",
            ]),
        // A name of seven letters and a tag: nothing may be cut off by counting.
        Row(
            written: "me/project:1@\(digest)", full: "docker.io/me/project:1@\(digest)", host: "docker.io",
            names: [
                "me/project:1@\(digest)", "me/project:1", "docker.io/me/project:1",
                "docker.io/me/project:1@\(digest)",
            ]),
        Row(
            written: "", full: "docker.io/library/:latest", host: "docker.io",
            names: ["", ":latest", "docker.io/library/:latest"]),
    ]

    @Test(arguments: rows) func aReferenceIsSpelledOut(row: Row) {
        let reference = ImageReference(row.written)
        #expect(reference.full == row.full)
        #expect(reference.host == row.host)
        #expect(reference.names == row.names)
    }
}
