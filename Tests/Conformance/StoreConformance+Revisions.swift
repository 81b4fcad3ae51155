import Manifests
import Planner
import Reconciler
import Testing
import Values

extension StoreConformance {
    private static let key = ObjectKey(.agent, namespace: "default", name: "revised")

    /// An agent whose command is one word.
    private func revise(_ clerk: inout Clerk, _ word: String, paused: Bool = false, cause: String? = nil) throws {
        let annotations = cause.map { Node.map([(AgentSpec.causeAnnotation, .text($0))]) }
        try clerk.apply(
            Self.key,
            .map([
                ("metadata", .map([("annotations", annotations)])),
                ("spec", .map([("command", [.text(word)]), ("paused", Node(.bool(paused)))])),
            ]))
    }

    /// The numbers and the words of what is kept, newest first.
    private func kept(_ uid: UID) throws -> [String] {
        try open().revisions(of: [uid]).map { "\($0.number) \($0.template["command"]?.list?.first?.string ?? "")" }
    }

    /// As Kubernetes keeps ReplicaSets: what is the same again takes the place of what it was.
    func revisionsAreKept() throws {
        var clerk = try clerk()
        try clerk.note("default", "1")
        try revise(&clerk, "a")
        let uid = try #require(clerk.uid(Self.key))
        try revise(&clerk, "b", cause: "better")
        try revise(&clerk, "b", cause: "much better")
        #expect(try kept(uid) == ["2 b", "1 a"])
        let newest = try #require(try open().revisions(of: [uid]).first)
        #expect(newest.cause == "much better" && newest.user == "test" && newest.atMs == clerk.now.wallMs)
        #expect(newest.template == AgentSpec.template(of: newest.template) && newest.template["replicas"] == nil)
        try revise(&clerk, "a")
        #expect(try kept(uid) == ["3 a", "2 b"])
        for number in 0..<2 * Limits.revisionsMax { try revise(&clerk, "n\(number)") }
        #expect(try kept(uid).count == Limits.revisionsMax)
        #expect(try kept(uid).first == "\(3 + 2 * Limits.revisionsMax) n\(2 * Limits.revisionsMax - 1)")
        try clerk.delete(Self.key)
        try clerk.settle([.observed(driver: "process", [:], complete: true)])
        #expect(clerk.uid(Self.key) == nil)
        #expect(try kept(uid).isEmpty)
    }

    /// After a crash, too, a paused agent is what its revision says and not what it declares.
    func whatIsPausedIsHeld() throws {
        var clerk = try clerk()
        try clerk.note("default", "1")
        try revise(&clerk, "a")
        try revise(&clerk, "b", paused: true)
        let uid = try #require(clerk.uid(Self.key))
        #expect(try kept(uid) == ["1 a"])
        func started() -> [String]? { clerk.engine.state.objects[Self.key]?.agent?.effective.spec.command }
        #expect(started() == ["a"])
        #expect(try Self.difference(open().load(), clerk.engine.state) == nil)
        try clerk.restart()
        #expect(started() == ["a"])
        try revise(&clerk, "b")
        #expect(started() == ["b"])
        #expect(try kept(uid) == ["2 b", "1 a"])
    }
}
