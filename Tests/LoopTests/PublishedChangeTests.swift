import Manifests
import Planner
import Testing
import Values

@testable import Loop

@Suite struct PublishedChangeTests {
    /// What a change means is worked out once for a resource, however many watch it.
    @Test func aChangeIsTakenApartOnceForAllWatchers() {
        let key = ObjectKey(.event, namespace: "default", name: "one")
        let object = PublishedObject(key, UID(high: 1, low: 2), 3) { .emptyMap }
        let change = PublishedChange(change: .added, resourceVersion: 3, object: object, before: nil, bytes: 0)
        var asked: [String] = []
        for resource in ["events", "events", "pods", "events"] {
            let found = change.differences(of: resource) {
                asked.append(resource)
                return [PublishedChange.Difference(Document(object.selectable), before: nil, isGone: false)]
            }
            #expect(found.count == 1)
        }
        #expect(asked == ["events", "pods"])
    }
}
