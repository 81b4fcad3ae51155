import Reconciler
import Values

/// An event in the envelope of CloudEvents 1.0, in JSON, as sinks hand it to other programs.
///
/// The event as the journal has it is `data`, byte for byte. `id` is the same whenever the event is delivered again;
/// `partitionkey` is the same for all events of an object, and `sequence` counts them without a gap.
struct CloudEvent {
    /// What stands before a type of event: CloudEvents asks for a name that is somebody's.
    static let typePrefix = "dev.agentos."
    /// What every event of this program begins with.
    static let beginning = #"{"specversion":"1.0","id":""#

    static func id(_ event: EventRecord) -> String { "\(event.uid.text)-\(event.sequence)" }

    /// One event on one line, without a line end.
    ///
    /// - Parameter source: a reference to who tells, as a JSON text in quotes.
    ///
    /// - Returns: its id.
    @discardableResult
    static func append(_ event: EventRecord, source: [UInt8], to bytes: inout [UInt8]) -> String {
        let uid = event.uid.text
        let id = "\(uid)-\(event.sequence)"
        bytes.append(contentsOf: beginning.utf8)
        bytes.append(contentsOf: id.utf8)
        bytes.append(contentsOf: #"","source":"#.utf8)
        bytes.append(contentsOf: source)
        bytes.append(contentsOf: #","type":"\#(typePrefix)\#(event.type)","time":""#.utf8)
        bytes.append(contentsOf: Timestamp.milliseconds(event.atMs).utf8)
        bytes.append(contentsOf: #"","datacontenttype":"application/json","partitionkey":""#.utf8)
        bytes.append(contentsOf: uid.utf8)
        bytes.append(contentsOf: #"","sequence":"\#(event.sequence)","#.utf8)
        if let parent = event.traceparent { bytes.append(contentsOf: #""traceparent":"\#(parent)","#.utf8) }
        bytes.append(contentsOf: #""data":"#.utf8)
        bytes.append(contentsOf: event.payload.utf8)
        bytes.append(UInt8(ascii: "}"))
        return id
    }

    /// A source as it stands in the JSON of its events.
    static func quoted(_ source: String) -> [UInt8] { JSONWriter.bytes(.text(source)) }
}
