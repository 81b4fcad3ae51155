import HTTP
import Synchronization
import Testing
import agentos_apply

/// When the daemon's certificates are made anew.
@Suite struct CertificatesTests {
    private static let day: Int64 = 86_400

    @Test func aKeyPairIsMadeOnlyWhenTheOneBeforeEnds() throws {
        let authority = try #require(Authority.make("test", seconds: 1000 * Self.day))
        let made = Mutex(0)
        let certificates = Certificates(
            .own(trusted: authority.credential.certificate) {
                made.withLock { $0 += 1 }
                return authority.issue(.server(names: ["DNS:localhost"]), seconds: 90 * Self.day)
            }, authorities: [authority.credential.certificate], authorityFile: nil)
        let first = try certificates.settings(after: nil, nowSeconds: 0)
        let end = try #require(first.identity.endSeconds)
        for days in [89, 60, 31] as [Int64] {
            #expect(try certificates.settings(after: first, nowSeconds: end - days * Self.day) == first)
        }
        #expect(made.withLock { $0 } == 1)
        #expect(try certificates.settings(after: first, nowSeconds: end - 29 * Self.day) != first)
        #expect(made.withLock { $0 } == 2)
        // What a reload has read before the renewal does not undo it.
        let renewed = try certificates.settings(after: first, nowSeconds: end - 29 * Self.day)
        var reloaded = first
        reloaded.clientAuthorities.append("another")
        let shown = reloaded.replacing(renewed, keepsIdentity: true)
        #expect(shown.identity == renewed.identity && shown.clientAuthorities == reloaded.clientAuthorities)
        #expect(reloaded.replacing(renewed, keepsIdentity: false) == reloaded)
        #expect(certificates.trusted(first) == authority.credential.certificate)
    }
}
