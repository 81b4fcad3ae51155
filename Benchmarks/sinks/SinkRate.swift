import CLinux
import Glibc
import Messaging
import Planner
import Reconciler
import Values

/// How fast the sink of NATS is by itself: events of some objects, in batches as the loop hands them over.
///
/// usage: sink-rate URL COUNT OBJECTS BYTES; prints one line of JSON.
@main enum SinkRate {
    static func main() {
        let numbers = CommandLine.arguments.dropFirst(2).compactMap {
            WholeNumber.read($0, in: 1...100_000_000) as Int?
        }
        guard CommandLine.arguments.count == 5, numbers.count == 3 else { exit(64) }
        do {
            let settings = try NATSSettings.read(
                .map([("servers", .list([.text(CommandLine.arguments[1])]))]), file: "the command line")
            print(try measure(NATSSink(settings), count: numbers[0], objects: numbers[1], bytes: numbers[2]))
        } catch {
            print(error)
            exit(1)
        }
    }

    private static let batchEvents = 1000

    private static func measure(
        _ sink: NATSSink, count: Int, objects: Int, bytes: Int
    ) throws(SinkFailure) -> String {
        let note = JSONWriter.text(.map([("note", .text(String(repeating: "x", count: bytes)))]))
        let high = UInt64(agentos_wall_ms())
        func events(_ range: Range<Int>) -> [EventRecord] {
            range.map { index in
                EventRecord(
                    position: Int64(index), uid: UID(high: high, low: UInt64(index % objects)),
                    sequence: Int64(index / objects + 1), type: "run.started", namespace: "bench", atMs: Int64(high),
                    payload: note)
            }
        }
        _ = try sink.append(events(0..<1))
        var batches: [Int64] = []
        let start = agentos_monotonic_us()
        var next = 1
        while next <= count {
            let begin = agentos_monotonic_us()
            let batch = events(next..<min(next + batchEvents, count + 1))
            next += try sink.append(batch).count
            batches.append(agentos_monotonic_us() - begin)
        }
        let seconds = Double(agentos_monotonic_us() - start) / 1e6
        let p95 = batches.sorted()[batches.count * 95 / 100]
        return JSONWriter.text(
            .map([
                ("perSecond", .number(Int(Double(count) / seconds))), ("batchP95Ms", .number(p95 / 1000)),
            ]))
    }
}
