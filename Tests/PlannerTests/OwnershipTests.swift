import Reconciler
import Testing
import Values

/// Who owns which field, and what goes with it.
@Suite struct OwnershipTests {
    private func read(_ text: String) -> Node { JSONReader.read(text) ?? .emptyMap }

    private func apply(
        _ text: String, by manager: String = "file", onto live: String = "{}", _ managers: [FieldManager] = [],
        force: Bool = true, _ succession: Succession = .none
    ) throws -> (content: Node, managers: [FieldManager]) {
        try applyFields(
            read(text), by: manager, force: force, onto: read(live), managers: managers, succession: succession,
            nowMs: 1)
    }

    /// What defaults had filled in beside the last owned field goes with it.
    @Test(arguments: [
        (
            "{\"spec\":{\"a\":1,\"probe\":{\"exec\":{\"command\":[\"x\"]}}}}", "{\"spec\":{\"a\":1}}",
            "{\"spec\":{\"a\":1,\"probe\":{\"exec\":{\"command\":[\"x\"]},\"periodSeconds\":10}}}",
            "{\"spec\":{\"a\":1}}"
        ),
        (
            "{\"spec\":{\"a\":1,\"probe\":{\"get\":{\"port\":1}}}}",
            "{\"spec\":{\"a\":1,\"probe\":{\"tcp\":{\"port\":1}}}}",
            "{\"spec\":{\"a\":1,\"probe\":{\"get\":{\"port\":1,\"path\":\"/\"},\"periodSeconds\":10}}}",
            "{\"spec\":{\"a\":1,\"probe\":{\"periodSeconds\":10,\"tcp\":{\"port\":1}}}}"
        ),
        (
            "{\"spec\":{\"git\":{\"url\":\"u\"}}}", "{\"spec\":{\"path\":\"/p\"}}",
            "{\"spec\":{\"git\":{\"url\":\"u\",\"branch\":\"main\"},\"prune\":true}}",
            "{\"spec\":{\"path\":\"/p\",\"prune\":true}}"
        ),
    ]) func defaultsGoWithTheLastFieldBesideThem(_ first: String, _ second: String, _ stored: String, _ left: String)
        throws
    {
        let before = try apply(first)
        #expect(try apply(second, onto: stored, before.managers).content == read(left))
    }

    @Test func whatAnotherOwnsBelowStays() throws {
        let mine = try apply("{\"map\":{}}")
        let both = try apply("{\"map\":{\"a\":1}}", by: "other", onto: "{\"map\":{}}", mine.managers)
        let left = try apply("{\"b\":1}", onto: "{\"map\":{\"a\":1}}", both.managers)
        #expect(left.content == read("{\"map\":{\"a\":1},\"b\":1}"))
    }

    /// A renamed Source, and one that takes up what was applied by hand.
    @Test func aSourceFollowsThoseThatHadTheObject() throws {
        let old = try apply("{\"a\":1,\"b\":2}", by: "source-default.old")
        let hand = try apply("{\"a\":1,\"c\":3}", by: "agentos-apply", onto: "{\"a\":1,\"b\":2}", old.managers)
        let live = "{\"a\":1,\"b\":2,\"c\":3}"
        let new = try apply("{\"a\":1}", by: "source-default.new", onto: live, hand.managers, .ofSource)
        #expect(new.content == read("{\"a\":1,\"c\":3}"))
        #expect(new.managers.map(\.name) == ["agentos-apply", "source-default.new"])
        let gone = try apply("{\"d\":4}", by: "source-default.new", onto: "{\"a\":1,\"c\":3}", new.managers)
        #expect(gone.content == read("{\"c\":3,\"d\":4}"))
    }

    @Test func aConflictNamesTheOwnerOfEachField() throws {
        let first = try apply("{\"spec\":{\"a\":1,\"b\":1}}", by: "one")
        let conflict = #expect(throws: ApplyConflict.self) {
            try apply(
                "{\"spec\":{\"a\":2,\"b\":2}}", by: "two", onto: "{\"spec\":{\"a\":1,\"b\":1}}", first.managers,
                force: false)
        }
        #expect(conflict?.owners.map(\.path) == [".spec.a", ".spec.b"])
        #expect(conflict?.owners.map(\.manager) == ["one", "one"])
    }

    /// Twice the fields cost twice as much; with their square this would take many minutes.
    @Test(.timeLimit(.minutes(10))) func manyFieldsAreMergedOneByOne() throws {
        func map(_ last: Int64) -> Node {
            .map([("data", .map((0..<60_000).map { ("key-\($0)", .number($0 == 0 ? last : Int64($0))) }))])
        }
        let first = try applyFields(map(1), by: "a", force: true, onto: .emptyMap, managers: [], nowMs: 1)
        let other = try applyFields(
            map(2), by: "b", force: true, onto: first.content, managers: first.managers, nowMs: 1)
        #expect(other.content[path: "data", "key-0"]?.int == 2)
        #expect(other.managers.map { $0.fields.paths.count } == [59_999, 60_000])
        let none = try applyFields(
            .emptyMap, by: "b", force: true, onto: other.content, managers: other.managers, nowMs: 1)
        #expect(none.content["data"]?.map?.entries.count == 59_999)
    }

    @Test func managedFieldsAreReadBack() throws {
        let fields = FieldTree([["a"], ["b", "c"], ["b", "d", "e"]])
        let manager = FieldManager(name: "m", operation: .apply, timeMs: 5, fields: fields)
        let node = Node.map([("manager", "m"), ("operation", "Apply"), ("fieldsV1", manager.fieldsV1)])
        #expect(FieldManager(node, timeMs: 5) == manager)
        #expect(JSONWriter.text(manager.fieldsV1) == "{\"f:a\":{},\"f:b\":{\"f:c\":{},\"f:d\":{\"f:e\":{}}}}")
    }
}
