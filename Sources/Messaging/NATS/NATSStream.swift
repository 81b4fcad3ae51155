import CNATS
import Reconciler

/// The stream behind a connection: made, or compared with what the settings say.
extension NATSConnection {
    /// - Parameter report: is told, in words, what was made, and what is other than the settings say: it is not changed.
    func prepareStream(_ settings: NATSSettings, _ report: (String) -> Void) throws(SinkFailure) {
        if settings.streamPolicy == .none { return }
        var info: UnsafeMutablePointer<jsStreamInfo>?
        var code = jsErrCode(rawValue: 0)
        let status = agentos_js_GetStreamInfo(&info, stream, settings.stream, nil, &code)
        defer { agentos_jsStreamInfo_Destroy(info) }
        if status == NATS_NOT_FOUND || code == JSStreamNotFoundErr {
            guard settings.streamPolicy == .create else {
                throw .lost("there is no stream \(settings.stream): make it, or set streamPolicy to Create")
            }
            return try makeStream(settings, report)
        }
        guard status == NATS_OK, let config = info?.pointee.Config?.pointee else {
            throw .lost("the stream \(settings.stream) cannot be looked at: \(Self.reason(status))")
        }
        let differences = Self.differences(config, settings)
        if !differences.isEmpty {
            report("the stream \(settings.stream) is left as it is: \(differences.joined(separator: ", "))")
        }
    }

    private func makeStream(_ settings: NATSSettings, _ report: (String) -> Void) throws(SinkFailure) {
        var code = jsErrCode(rawValue: 0)
        let status = agentos_nats_add_stream(
            stream, settings.stream, NATSSubject.events(prefix: settings.subject), settings.streamBytes,
            settings.streamAgeMs * 1_000_000,
            settings.duplicatesMs * 1_000_000, Int64(settings.replicas), settings.discard == .new, &code)
        guard status == NATS_OK else {
            throw .lost(
                "the stream \(settings.stream) cannot be made: \(Self.reason(status)) (JetStream \(code.rawValue))")
        }
        report("the stream \(settings.stream) was made, for \(NATSSubject.events(prefix: settings.subject))")
    }

    private static func differences(_ config: jsStreamConfig, _ settings: NATSSettings) -> [String] {
        let subjects = (0..<Int(config.SubjectsLen)).compactMap { index in
            config.Subjects[index].map { String(cString: $0) }
        }
        let isCovered = subjects.contains { NATSSubject.covers($0, prefix: settings.subject) }
        let others: [(String, Int64, Int64)] = [
            ("streamBytes", config.MaxBytes, settings.streamBytes),
            ("streamAge in ms", config.MaxAge / 1_000_000, settings.streamAgeMs),
            ("duplicates in ms", config.Duplicates / 1_000_000, settings.duplicatesMs),
            ("replicas", config.Replicas, Int64(settings.replicas)),
        ]
        return (isCovered ? [] : ["its subjects are \(subjects.joined(separator: ", "))"])
            + (config.NoAck ? ["it acknowledges nothing"] : [])
            + (config.Storage == js_FileStorage ? [] : ["it is not kept on disk"])
            + ((config.Discard == js_DiscardNew) == (settings.discard == .new)
                ? [] : ["its discard policy is the other one"])
            + others.compactMap { name, found, wanted in
                found == wanted ? nil : "its \(name) is \(found), not \(wanted)"
            }
    }
}
