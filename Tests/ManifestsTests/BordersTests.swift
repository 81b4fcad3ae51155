import Drivers
import Manifests
import Testing
import Values

/// Numbers of strangers in manifests: whatever is written, the answer is a value in range or an error with its place.
@Suite struct BordersTests {
    private static let numeric = DescribedField.all {
        switch $0 {
        case .integer, .number, .quantity, .string(.duration): true
        case .string, .boolean, .enumeration, .driver, .list, .strings, .object, .union, .anything: false
        }
    }

    private static let everywhere = [
        "0", "-1", "1.5", "2147483647", "2147483648", "-2147483649", "4294967296", "9007199254740992",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "9000000000000000", "1e18", "1e19", "1e308", "1e400", "-1e400", "1e-400", "\"\"",
        "\"-\"", "\"+\"", "\" 1\"", "\"1 \"", "\"1_000\"", "\"٣\"", "\"9223372036854775807\"",
        "\"9223372036854775808\"", "\"92233720368547758079999\"", "\"9000000000000000\"", "\"-1\"", "\"8Ei\"",
        "\"9223372036854775807Ei\"", "\"1e18\"", "\"1e99\"", "\"0.0000000000000001\"", "\"1e400\"", "\"inf\"",
        "\"nan\"", "\"999999h\"", "\"1000000h\"", "\"9223372036854775808s\"", "\"99ms\"", "\"100ms\"",
    ]

    /// The bounds of a field, as texts that must be taken, and their neighbours, which must not.
    private static func bounds(_ shape: Shape) -> (taken: [String], refused: [String]) {
        switch shape {
        case .integer(let range):
            (
                [range.lowerBound, range.upperBound].map { String($0) },
                [range.lowerBound - 1, range.upperBound + 1].map { String($0) }
            )
        case .number(let range):
            (
                [range.lowerBound, range.upperBound].map { String(Int($0)) },
                [range.lowerBound - 1, range.upperBound + 1].map { String(Int($0)) }
            )
        case .quantity(.cpu):
            (["0", "1000000", "\"1000000000m\"", "\"1M\""], ["\"1000000001m\"", "\"-1\"", "\"8k8\""])
        case .quantity(.memory):
            (
                ["0", "\"1Ei\"", "1152921504606846976", "\"1024Pi\""],
                ["1152921504606846977", "\"2Ei\"", "\"1152921504606846976001m\""]
            )
        case .string(.duration): (["\"100ms\"", "\"999999h\""], ["\"99ms\"", "\"1000000h\"", "100"])
        case .string, .boolean, .enumeration, .driver, .list, .strings, .object, .union, .anything: ([], [])
        }
    }

    /// All that reading can do with one text: the errors that name the field, none of which may trap.
    private func errors(_ field: DescribedField, _ text: String) -> [String] {
        let yaml = YAMLWriter.text(field.object("@@")).replacing("\"@@\"", with: text)
        let json = JSONWriter.text(field.object("@@")).replacing("\"@@\"", with: text)
        var errors: [String] = []
        for text in [yaml, json] {
            var diagnostics = Diagnostics()
            for manifest in ManifestReader.read(Array(text.utf8), file: "f", drivers: .all, diagnostics: &diagnostics) {
                read(manifest.complete, manifest.kind)
            }
            // Also what rules across fields refuse ends up in stores of other versions.
            var found = Diagnostics()
            for node in ManifestReader.documents(Array(text.utf8), file: "f", diagnostics: &found) {
                var validator = Validator(file: "f", drivers: .all)
                read(validator.check(node, kind: field.kind), field.kind)
                errors += validator.diagnostics.kept.filter { $0.path == field.text }.map(\.description)
            }
            errors += found.kept.map(\.description)
        }
        return errors
    }

    private func read(_ complete: Node, _ kind: Kind) {
        let spec = complete["spec"] ?? .emptyMap
        if kind == .agent {
            let agent = AgentSpec(spec)
            #expect(agent.replicas >= 0 && agent.gracePeriodMs >= 0 && agent.backoff.factor >= 1)
            for probe in [agent.startupProbe, agent.readinessProbe, agent.livenessProbe] {
                #expect(probe.map { $0.patienceMs > 0 } ?? true)
            }
            #expect((agent.resources.limitCpuMilli ?? 0) <= 1_000_000_000)
            #expect((agent.resources.limitMemoryBytes ?? 0) <= 1 << 60)
        } else {
            #expect(SourceSpec(spec).timeoutMs >= 0)
        }
    }

    @Test func everyNumericFieldAnswersForEveryNumber() {
        #expect(Self.numeric.count > 30)
        for field in Self.numeric {
            let (taken, refused) = Self.bounds(field.shape)
            for text in taken { #expect(errors(field, text).isEmpty, "\(field) \(text): \(errors(field, text))") }
            for text in refused { #expect(!errors(field, text).isEmpty, "\(field) takes \(text)") }
            for text in Self.everywhere { _ = errors(field, text) }
        }
    }

    /// What the program once took, or another version will: it is read as the nearest that this one takes.
    @Test func aStoredSpecThatIsRefusedTodayIsReadAndTold() {
        let spec = Node.map([
            ("replicas", .number(Int.max)), ("terminationGracePeriodSeconds", .number(Int.min)),
            ("restartPolicy", "Sometimes"), ("progressDeadlineSeconds", "soon"),
            ("backoff", .map([("initialSeconds", Node(.double(1e300))), ("factor", Node(.double(-.infinity)))])),
            ("resources", .map([("limits", .map([("cpu", "9000000000000000"), ("memory", "9Zi"), ("pids", -4)]))])),
            (
                "livenessProbe",
                .map([("tcpSocket", .map([("port", .number(Int.max))])), ("periodSeconds", .number(Int.max))])
            ),
        ])
        let read = AgentSpec(spec)
        #expect(read.replicas == Limits.replicasMax && read.gracePeriodMs == 0 && read.restartPolicy == .always)
        #expect(read.backoff.initialMs == 86_400_000 && read.backoff.factor == 1 && read.progressDeadlineMs == 1000)
        #expect(read.resources.limitCpuMilli == 1_000_000_000 && read.resources.limitPids == 1)
        #expect(read.resources.limitMemoryBytes == 1 << 60)
        #expect(read.livenessProbe?.action == .tcpSocket(port: 65_535) && read.livenessProbe?.periodMs == 86_400_000)
        let poison = AgentSpec(.map([("resources", .map([("limits", .map([("cpu", "9000000000000000")]))]))]))
        #expect(
            poison.problem
                == "spec.resources.limits.cpu: expected a quantity such as 250m or 1.5, at most 1000000; found \"9000000000000000\""
        )
        #expect(AgentSpec(.map([("replicas", 3)])).problem == nil)
        #expect(SourceSpec(.map([("interval", "9999999999s")])).problem?.hasPrefix("spec.interval: ") == true)
    }

    /// A spec whose parts were replaced by anything at all is read to its end.
    @Test func aDamagedSpecIsReadToItsEnd() {
        var random = SeededRandom(seed: 7)
        let fields = DescribedField.all { _ in true }.filter { $0.path.count > 1 && $0.path[0] == "spec" }
        #expect(fields.count > 100)
        for field in fields {
            for value in Self.junk {
                let spec = field.object(value)["spec"] ?? .emptyMap
                if field.kind == .agent { _ = AgentSpec(spec).startupProbe?.patienceMs } else { _ = SourceSpec(spec) }
            }
        }
        for _ in 0..<500 {
            var spec = Node.emptyMap
            for _ in 0..<5 {
                let field = fields[random.below(fields.count)]
                let name = field.path[1]
                spec[name] = field.object(Self.junk[random.below(Self.junk.count)])[path: "spec", name]
            }
            _ = AgentSpec(spec)
            _ = SourceSpec(spec)
        }
    }

    private static let junk: [Node] = [
        Node(.null), true, 0, -1, .number(Int.max), .number(Int.min), Node(.double(1e308)), Node(.double(.infinity)),
        Node(.double(.nan)), "", "x", "9000000000000000", .text(String(repeating: "9", count: 400)), [], [1, "x", []],
        .emptyMap, .map([("x", 1), ("name", 7), ("command", "x")]), [.map([("port", .number(Int.max))])],
    ]
}

/// The same numbers for the same seed.
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}
