import Drivers
import Reconciler
import Testing
import Values

/// What the runtimes say when a command was not started, as they were heard.
@Suite struct ContainerProgramTests {
    private static let runc =
        "failed to start exec \"exec-7-1\": OCI runtime exec failed: exec failed: unable to start container process: "
    private static let runsc = "executing processes for container: executing command \"COMMAND\" in sandbox: "

    @Test(
        arguments: [
            ("nosuch", runc + "exec: \"nosuch\": executable file not found in $PATH: unknown", 127),
            ("/no/such", runc + "exec: \"/no/such\": stat /no/such: no such file or directory: unknown", 127),
            ("/etc/plain", runc + "exec: \"/etc/plain\": permission denied: unknown", 126),
            ("/etc", runc + "exec: \"/etc\": is a directory: unknown", 126),
            ("/etc/text", runc + "exec /etc/text: exec format error: unknown", 126),
            (
                "nosuch",
                runsc + "error finding executable \"nosuch\" in PATH [/usr/bin /bin]: no such file or directory", 127
            ), ("/no/such", runsc + "failed to load /no/such: no such file or directory", 127),
            ("/etc/plain", runsc + "failed to load /etc/plain: permission denied", 126),
            ("/etc/text", runsc + "failed to load /etc/text: exec format error", 126),
            // What has the words, and says nothing about the program.
            (
                "sh",
                runc + "chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory: unknown", nil
            ), ("sh", runsc + "failed to find initial working directory \"/nowhere\": no such file or directory", nil),
            ("sh", "failed to create shim task: open /run/containerd/x/init.pid: no such file or directory", nil),
            ("sh", "open /dev/pts/ptmx: permission denied: unknown", nil),
            ("sh", runc + "exec: \"other\": permission denied: unknown", nil),
            (
                "sh", runc + "exec: \"sh\": permission denied is not what it is: something else: unknown",
                nil
            ), ("sh", "container process is already dead: unknown", nil),
        ] as [(String, String, Int?)])
    func onlyWhatIsSaidOfTheProgramIsItsCode(command: String, why: String, code: Int?) {
        let expected = code.map { ExecutionResult.unstarted(code: $0, why) } ?? .failed(why)
        #expect(ContainerProgram.end(.failed(why), of: command) == expected)
    }

    @Test func otherEndsStayWhatTheyAre() {
        #expect(ContainerProgram.end(.exited(127), of: "sh") == .exited(127))
        #expect(ContainerProgram.end(.timedOut, of: "sh") == .timedOut)
    }
}
