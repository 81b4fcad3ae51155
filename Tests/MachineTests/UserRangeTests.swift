import Glibc
import Testing

@testable import Machine

/// No two daemons of a machine give out the same user ids.
@Suite struct UserRangeTests {
    private func inDirectory(_ body: (String) throws -> Void) rethrows {
        var template = Array("/tmp/agentos-users.XXXXXX".utf8CString)
        mkdtemp(&template)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { Files.removeTree(path) }
        for name in ["a", "b", "c"] { mkdir("\(path)/\(name)", 0o700) }
        try body(path)
    }

    @Test func rangesAreApartAndStayTheSame() throws {
        try inDirectory { directory in
            let claims = "\(directory)/claims"
            func claim(_ name: String, used: UInt32? = nil) throws -> UserRange {
                try UserRange.claim(store: name, state: "\(directory)/\(name)", used: used, directory: claims)
            }
            let a = try claim("a")
            let b = try claim("b")
            #expect(!a.users.overlaps(b.users) && a.users.lowerBound >= 200_000)
            #expect(try claim("a") == a)
            // The machine was restarted, and the other daemon comes first.
            Files.removeTree(claims)
            #expect(try claim("b") == b)
            #expect(try claim("a") == a)
            // A state directory that is gone holds no range.
            Files.removeTree("\(directory)/a")
            #expect(try claim("c", used: a.users.lowerBound + 7).users == a.users)
        }
    }

    /// Two databases from before there were claims: one of them gets another range for its new agents, and says so.
    @Test func aRangeThatAnotherHasIsNotGivenOutAgain() throws {
        try inDirectory { directory in
            let claims = "\(directory)/claims"
            let a = try UserRange.claim(store: "a", state: "\(directory)/a", used: 200_003, directory: claims)
            #expect(a.users.lowerBound == 200_000 && !a.isShared)
            let b = try UserRange.claim(store: "b", state: "\(directory)/b", used: 200_001, directory: claims)
            #expect(!b.users.overlaps(a.users) && b.isShared)
        }
    }
}
