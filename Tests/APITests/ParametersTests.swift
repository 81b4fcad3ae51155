import HTTP
import Testing

@testable import API

/// Numbers that strangers write; what no parameter may choke on.
let hostileNumbers = [
    "0", "-1", "1", "2147483647", "2147483648", "9007199254740992", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "1e400", "", "-", " 1", "1 ", "+1", "0x10", "1.5", "NaN",
]

@Suite struct ParametersTests {
    private static let all = Dictionary(
        grouping: Route.table.flatMap(\.parameters), by: \.name
    ).compactMap { $0.value.first }.sorted { $0.name < $1.name }

    /// The hostile numbers, and those at and around the limits of the parameter.
    static func values(of form: ParameterForm) -> [String] {
        guard case .integer(let range) = form else { return hostileNumbers + ["yes", "\u{1}", "ä"] }
        let edges = [range.lowerBound, range.upperBound].map(String.init)
        let below = range.lowerBound == .min ? [] : [String(range.lowerBound - 1)]
        let above = range.upperBound == .max ? [] : [String(range.upperBound + 1)]
        return hostileNumbers + edges + below + above
    }

    @Test(arguments: all.indices) func aNumberIsInItsRangeOrRefusedByName(index: Int) throws {
        let parameter = Self.all[index]
        for text in Self.values(of: parameter.form) {
            let found = Result { try Parameters([(parameter.name, text)], allowed: [parameter]) }
            guard case .integer(let range) = parameter.form else { continue }
            switch found {
            case .success(let parameters):
                let value = parameters[Parameter<Int64>.integer(parameter.name, range)]
                #expect(value == Int64(text) && value.map(range.contains) == true, "\(parameter.name)=\(text)")
            case .failure(let error):
                #expect((error as? ParameterProblem)?.name == parameter.name)
                #expect(Int64(text).map(range.contains) != true || text == "+1", "\(parameter.name)=\(text)")
            }
        }
    }

    @Test func unknownAndContradictingParametersAreRefused() {
        let (watch, limit) = (Query.watch, Query.limit)
        #expect(throws: ParameterProblem.self) { try Parameters([("whatch", "true")], allowed: [watch]) }
        #expect(throws: ParameterProblem.self) {
            try Parameters([("limit", "1"), ("limit", "2")], allowed: [watch, limit])
        }
        #expect(throws: Never.self) { try Parameters([("limit", "1"), ("limit", "1")], allowed: [watch, limit]) }
    }

    @Test(arguments: [
        ("", true), ("true", true), ("1", true), ("false", false), ("0", false), ("True", true), ("False", false),
    ])
    func flagsAreReadAsKubernetesWritesThem(text: String, isSet: Bool) throws {
        #expect(try Parameters([("watch", text)], allowed: [Query.watch]).has(Query.watch) == isSet)
    }

    @Test func listsTakeWhatIsGivenMoreThanOnce() throws {
        let words = Parameter<[String]>.list("w", countMax: 3, bytesMax: 4)
        let read = try Parameters([("w", "sh"), ("w", "-c"), ("w", "a\nb")], allowed: [words])
        #expect(read[words] == ["sh", "-c", "a\nb"])
        #expect(throws: ParameterProblem.self) { try Parameters([("w", "a\0b")], allowed: [words]) }
        #expect(throws: ParameterProblem.self) { try Parameters([("w", "abcde")], allowed: [words]) }
        let four = (0..<4).map { ("w", String($0)) }
        #expect(throws: ParameterProblem.self) { try Parameters(four, allowed: [words]) }
        #expect(try RequestTarget("/a?w=x%0Ay").query.first?.value == "x\ny", "a command may have lines")
    }

    @Test(arguments: [
        ("/a/b", ["a", "b"]), ("/a/b/", ["a", "b"]), ("/", []), ("/a%20b", ["a b"]), ("/a+b", ["a+b"]),
        ("/%e4%bd%a0", ["你"]), ("/a%2Bb?x=/y", ["a+b"]), ("/a//b", ["a", "", "b"]), ("/%252F", ["%2F"]),
    ])
    func partsOfAPathAreDecodedOnce(text: String, segments: [String]) throws {
        #expect(try RequestTarget(text).segments == segments)
    }

    @Test(arguments: [
        "/a%2Fb", "/a%2fb", "/a%00", "/%", "/%4", "/%zz", "/%ff", "/%0a", "a/b", "", "*", "/a?x=%00", "/a?x=%",
        "/a?%ff=1",
    ])
    func whatCannotBeOneNameIsRefused(text: String) {
        #expect(throws: TargetProblem.self) { try RequestTarget(text) }
    }

    @Test func aQueryIsReadPairByPair() throws {
        let query = try RequestTarget("/a?x=1&y&z=a%3Db+c&&=v").query
        #expect(query.map(\.name) == ["x", "y", "z", ""] && query.map(\.value) == ["1", "", "a=b c", "v"])
    }
}
