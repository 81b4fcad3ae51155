import HTTP
import Resources
import Values

/// What clients ask for first. All of it is made once, from the table of resources.
extension Server {
    func version(_ call: Call) {
        call.respond(
            200,
            .map([
                ("major", "1"), ("minor", "30"), ("gitVersion", .text("v1.30.0+agentos.\(settings.version)")),
                ("gitCommit", ""), ("gitTreeState", ""), ("buildDate", ""), ("goVersion", ""), ("compiler", "swiftc"),
                ("agentos", .text(settings.version)), ("platform", "linux"),
            ]))
    }

    /// `/api` and `/apis`: names of groups, or all at once for those who can read that.
    func discovery(_ call: Call, core: Bool) {
        for range in call.accepted.ranges where range.type == "application/json" {
            guard range.parameters["as"] == "APIGroupDiscoveryList",
                range.parameters["g"] == "apidiscovery.k8s.io",
                let version = Discovery.Aggregation(rawValue: range.parameters["v"] ?? "")
            else {
                if range.parameters["as"] == nil { break }
                continue
            }
            let answer = core ? Self.aggregatedCore : Self.aggregatedGroups
            return answer[version]?.send(call, version.mediaType) ?? call.fail(.unavailable)
        }
        (core ? Self.coreVersions : Self.groupList).send(call)
    }

    func group(_ call: Call, _ name: String) { Self.groupAnswers[name]?.send(call) }

    func resources(_ call: Call, _ version: Discovery.Version) { Self.resourceLists[version]?.send(call) }

    // MARK: The answers

    private static let coreVersions = StaticAnswer(Discovery.coreVersions)
    private static let groupList = StaticAnswer(Discovery.groupList)
    private static let groupAnswers = Dictionary(
        uniqueKeysWithValues: Discovery.groups.map { ($0, StaticAnswer(Discovery.group($0))) })
    private static let resourceLists = Dictionary(
        uniqueKeysWithValues: Discovery.versions.map { ($0, StaticAnswer(Discovery.resourceList($0))) })
    private static let aggregatedCore = aggregated(core: true)
    private static let aggregatedGroups = aggregated(core: false)

    private static func aggregated(core: Bool) -> [Discovery.Aggregation: StaticAnswer] {
        Dictionary(
            uniqueKeysWithValues: Discovery.Aggregation.allCases.map {
                ($0, StaticAnswer(Discovery.aggregated(core: core, $0)))
            })
    }
}

/// An answer that is the same as long as the program runs; clients that have it are told so.
struct StaticAnswer {
    let bytes: [UInt8]
    let hash: String

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        hash = SHA256Digest.hex(bytes).uppercased()
    }

    init(_ node: Node) { self.init(JSONWriter.bytes(node)) }

    func send(_ call: Call, _ type: String = "application/json") {
        call.respond(
            type, bytes, tag: hash, headers: [("Vary", "Accept"), ("Cache-Control", "no-cache, private")])
    }
}
