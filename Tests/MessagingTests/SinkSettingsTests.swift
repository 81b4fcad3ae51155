import Messaging
import Support
import Testing
import Values

/// What sinks can be told, and what they are told wrong.
@Suite struct SinkSettingsTests {
    private func mistakes<Settings: SinkSettings>(_ type: Settings.Type, _ text: String) -> [String] {
        var diagnostics = Diagnostics()
        let node = YAMLReader.read(Array(text.utf8), file: "daemon.yaml", diagnostics: &diagnostics).first ?? .emptyMap
        #expect(diagnostics.isEmpty)
        do throws(SettingsMistakes) { _ = try Settings.read(node, file: "daemon.yaml", path: "sinks[0]") } catch {
            return error.diagnostics.map(\.description)
        }
        return []
    }

    @Test func defaultsAreFilledIn() throws {
        let file = try FileSettings.read(.map([("path", "/x/y")]), file: "")
        #expect(
            file.fileBytes == 64 << 20 && file.fileAgeMs == 86_400_000 && file.files == 10 && file.source == "/agentos")
        let webhook = try WebhookSettings.read(.map([("url", "https://x"), ("secretFile", "/s")]), file: "")
        #expect(webhook.format == .batched && webhook.timeoutMs == 10_000 && !webhook.allowInsecure)
        let nats = try NATSSettings.read(.map([("servers", ["tls://x"])]), file: "")
        #expect(nats.stream == "AGENTOS" && nats.subject == "agentos" && nats.streamPolicy == .create)
    }

    @Test(arguments: [
        ("path: relative", "daemon.yaml:1:7: sinks[0].path: must be an absolute path"),
        ("files: 0\npath: /x", "daemon.yaml:1:8: sinks[0].files: "),
        ("path: /x\nfileBytes: 1", "daemon.yaml:2:12: sinks[0].fileBytes: must be between 64Ki and 1Ti"),
        ("path: /x\nfileAge: 5s", "daemon.yaml:2:10: sinks[0].fileAge: must be between 1m and 8784h"),
        ("path: /x\npth: /y", "daemon.yaml:2:1: sinks[0].pth: unknown field"),
        ("path: /x/", "sinks[0].path: must be the path of a file"), ("{}", "sinks[0].path: required field is missing"),
        ("path: /x\nsource: a b", "daemon.yaml:2:9: sinks[0].source: must be a URI"),
    ]) func wrongSettingsOfFilesAreTold(_ text: String, words: String) {
        let found = mistakes(FileSettings.self, text)
        #expect(found.count == 1 && found[0].contains(words), "\(found)")
    }

    @Test(arguments: [
        ("http://example.com/x", "must begin with https://"), ("ftp://example.com", "must be https://"),
        ("https://", "must be https://"), ("https://me:pass@example.com", "must not name a user"),
        ("https://example.com:99999", "must be https://"), ("https://ex ample.com", "must be https://"),
        ("http://127.0.0.1.example.com", "must begin with https://"), ("http://127.0.0.1@example.com", "must not name"),
    ]) func wrongAddressesOfWebhooksAreTold(_ url: String, words: String) {
        let found = mistakes(WebhookSettings.self, "url: \"\(url)\"\nsecretFile: /s")
        #expect(found.count == 1 && found[0].contains("daemon.yaml:1:6: sinks[0].url: \(words)"), "\(found)")
        #expect(!found.joined().contains("me:pass"))
    }

    @Test(arguments: ["http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080/y", "https://example.com/a?b=c"])
    func goodAddressesOfWebhooksAreTaken(_ url: String) {
        #expect(mistakes(WebhookSettings.self, "url: \"\(url)\"\nsecretFile: /s") == [])
        #expect(mistakes(WebhookSettings.self, "url: http://example.com\nsecretFile: /s\nallowInsecure: true") == [])
    }

    @Test(arguments: [
        ("servers: []", "must not be empty"), ("servers: [nats://example.com]", "servers[0]: must begin with tls://"),
        ("servers: [tls://a, tls://b:0]", "servers[1]: must be tls://"),
        ("servers: [tls://u:pass@a]", "must not name a user or password"),
        ("servers: [tls://a]\nstream: a.b", "daemon.yaml:2:9: sinks[0].stream: must be"),
        ("servers: [tls://a]\nsubject: \"a.>\"", "sinks[0].subject: must be one word"),
        ("servers: [tls://a]\nduplicates: 2h\nstreamAge: 1h", "must not be longer than streamAge"),
        ("servers: [tls://a]\nnkey: U", "belong together"),
        ("servers: [tls://a]\nuserFile: /a\ncredentialsFile: /b", "expected one of"),
        ("servers: [tls://a]\nwindow: 100000", "window"), ("servers: [tls://a]\nreplicas: 6", "replicas"),
    ]) func wrongSettingsOfNATSAreTold(_ text: String, words: String) {
        let found = mistakes(NATSSettings.self, text)
        #expect(found.count == 1 && found[0].contains(words), "\(found)")
        #expect(!found.joined().contains("pass@"))
    }

    @Test func everyFieldStandsInTheDocument() {
        let text = World.read("\(World.root)/Documentation/events.md")
        for field in FileSettings.fields + WebhookSettings.fields + NATSSettings.fields {
            #expect(text.contains("`\(field.name)`"), "\(field.name)")
        }
    }
}
