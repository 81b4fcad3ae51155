import CLinux
import HTTP
import Loop
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// `kubectl top pod`: two measurements make a rate. The first is that of an earlier request, if there was one lately.
    func podMetrics(_ call: Call) {
        // Lists alone are selected from; the route to one of them knows no selectors.
        let isOne = call.names.count > 1 || (call.namespace == nil && !call.names.isEmpty)
        if isOne { return measure(call) { [self] documents in answerOne(call, documents) } }
        do throws(Failure) {
            if call.parameters.has(Query.watch) { throw .badRequest("watch: measurements are not watched") }
            let selector = try Selector(
                labels: call.parameters[Query.labelSelector], fields: call.parameters[Query.fieldSelector],
                of: call.resource)
            measure(call) { [self] documents in answer(call, documents, selector) }
        } catch {
            call.fail(error)
        }
    }

    private func bytes(_ node: Node, _ representation: Representation) -> [UInt8] {
        representation.bytes(Document(Selectable(node, fields: []), node: node)) { JSONWriter.bytes(node) }
    }

    private func answerOne(_ call: Call, _ all: [Node]) {
        guard let node = all.first(where: { $0[path: "metadata", "name"]?.string == call.name }) else {
            return call.fail(.notFound(call))
        }
        let representation = Representation(call)
        call.respond(200, json: [representation.single(bytes(node, representation))])
    }

    private func answer(_ call: Call, _ all: [Node], _ selector: Selector) {
        let representation = Representation(call)
        let items = all.filter { selector.matches(Selectable($0, fields: [])) }.map { bytes($0, representation) }
        call.respond(
            200,
            json: [representation.head(metadata: "")] + [Array(items.joined(separator: Array(",".utf8)))]
                + [Representation.listEnd])
    }

    private func measure(_ call: Call, _ done: @escaping ([Node]) -> Void) {
        loop.measure(namespace: call.namespace) { [self] first in
            let now = agentos_boot_ms()
            let isKnown = first.allSatisfy { samples[$0.0].map { now - $0.atMs <= Limits.sampleAgeMs } ?? false }
            if isKnown || first.isEmpty { return done(documents(first, now)) }
            for (run, _, usage) in first { samples[run] = Sample(usage: usage, atMs: now) }
            loop.events.after(ms: Int64(Limits.sampleWindowMs)) { [self] in
                loop.measure(namespace: call.namespace) { [self] second in done(documents(second, agentos_boot_ms())) }
            }
        }
    }

    /// What is used now, and what was used since the sample before; the new sample stands for the old one.
    private func documents(_ usages: [(RunID, ObjectKey, RunUsage)], _ now: Int64) -> [Node] {
        defer { samples = samples.filter { now - $0.value.atMs <= Limits.sampleAgeMs } }
        return usages.map { run, key, usage in
            let before = samples[run]
            let windowMs = max(1, now - (before?.atMs ?? now))
            let spent = max(0, usage.cpuNs - (before?.usage.cpuNs ?? usage.cpuNs))
            if windowMs >= Limits.sampleWindowMs { samples[run] = Sample(usage: usage, atMs: now) }
            return PodMetrics.document(
                PodMetrics.Usage(
                    agent: key, ordinal: run.ordinal,
                    labels: loop.engine.state.objects[key]?.content[path: "metadata", "labels"],
                    cpuNsPerSecond: spent.multipliedSaturated(by: 1000) / windowMs, memoryBytes: usage.memoryBytes),
                nowMs: agentos_wall_ms(), windowMs: windowMs)
        }
    }

    /// What a run had used at a moment.
    struct Sample {
        var usage: RunUsage
        var atMs: Int64
    }
}
