import Drivers
import Glibc
import Manifests
import Testing
import Values

/// Who a container runs as, by its image.
@Suite struct AccountsTests {
    private static let accounts = Accounts(
        passwd: "root:x:0:0:root:/root:/bin/sh\napp:x:10:20::/:/bin/sh\nbroken\nodd:x:-1:20::/:\n7:x:70:71::/:/bin/sh",
        group: "root:x:0:\napp:x:20:\nstaff:x:30:other,app\nwheel:x:40:app\nodd:x:x:app\n")

    @Test(
        arguments: [
            ("app", 10, 20, [30, 40]), ("10", 10, 20, [30, 40]), ("app:0", 10, 0, []), ("app:staff", 10, 30, []),
            ("5", 5, 5, []), ("5:6", 5, 6, []), ("root", 0, 0, []),
            // A name wins over a number, as in other tools.
            ("7", 70, 71, []), ("4294967294", 4_294_967_294, 4_294_967_294, []),
        ] as [(String, UInt32, UInt32, [UInt32])])
    func aUserIsFound(text: String, user: UInt32, group: UInt32, additional: [UInt32]) throws {
        #expect(
            try Self.accounts.identity(of: text)
                == Accounts.Identity(user: user, group: group, additional: additional))
    }

    @Test(arguments: [
        "ghost", "odd", "app:ghosts", "4294967295", "4294967296", "-1", ":20", "1:", "99999999999999999999",
    ])
    func nobodyIsGuessed(text: String) {
        #expect(throws: Accounts.Unknown.self) { try Self.accounts.identity(of: text) }
    }

    @Test func whoIsMissingGetsAnEntry() {
        let known = Accounts.Identity(user: 10, group: 20)
        #expect(Self.accounts.passwd(adding: known, home: "/h") == nil && Self.accounts.group(adding: known) == nil)
        let new = Accounts.Identity(user: 500, group: 600)
        #expect(
            Self.accounts.passwd(adding: new, home: "/h")?.hasSuffix("/bin/sh\nagent:x:500:600:agent:/h:/bin/sh\n")
                == true)
        #expect(Self.accounts.group(adding: new)?.hasSuffix("odd:x:x:app\nagent:x:600:\n") == true)
        let taken = Accounts(passwd: "agent:x:1:1::/:/bin/sh\n", group: "")
        #expect(taken.passwd(adding: new, home: "/h")?.contains("\nagent500:x:500:600:") == true)
        #expect(Accounts(passwd: "", group: "").group(adding: new) == "agent:x:600:\n")
    }
}

/// What no runtime and no program can be given.
@Suite struct LimitTests {
    @Test func hugeLimitsAreRefusedInsteadOfTrapping() {
        func limits(_ cpuMilli: Int64) -> AgentSpec.Resources {
            var spec = AgentSpec(.map([("driver", "containerd")]))
            spec.resources.limitCpuMilli = cpuMilli
            return spec.resources
        }
        #expect(OCISpec.refusal(of: limits(1500)) == nil)
        #expect(OCISpec.refusal(of: limits(.max / 100)) == nil)
        #expect(OCISpec.refusal(of: limits(.max / 100 + 1))?.contains("limits.cpu") == true)
        #expect(OCISpec.refusal(of: limits(.max)) != nil)
    }

    @Test func stringsOfAProgramHaveTheKernelsLimits() {
        func refusal(_ arguments: [String], _ variables: [(name: String, value: String)]) -> String? {
            ProgramLimits.refusal(arguments: arguments, environment: variables)
        }
        let fits = String(repeating: "x", count: 131_071)
        #expect(refusal(["a", fits], [("A", "b")]) == nil)
        #expect(refusal(["a", fits + "x"], [])?.contains("argument 1") == true)
        #expect(refusal(["a"], [("LONG", fits)])?.contains("LONG") == true)
        #expect(refusal(["a"], [("ZERO", "a\0b")])?.contains("ZERO") == true)
        #expect(refusal(["a\0"], [])?.contains("the command") == true)
        let many = (0..<80).map { (name: "V\($0)", value: String(repeating: "y", count: 100_000)) }
        let why = refusal(["a"], many)
        #expect(why?.contains("V10") == true && why?.contains("yy") == false, "\(why ?? "")")
        // The kernel agrees with both sides of the border.
        func runs(_ variable: String) -> Bool {
            var words: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/true"), nil]
            var variables: [UnsafeMutablePointer<CChar>?] = [strdup(variable), nil]
            defer { for word in words + variables { free(word) } }
            var pid: pid_t = 0
            guard posix_spawn(&pid, "/bin/true", nil, nil, &words, &variables) == 0 else { return false }
            waitpid(pid, nil, 0)
            return true
        }
        #expect(runs(fits) && !runs(fits + "x"))
    }
}
