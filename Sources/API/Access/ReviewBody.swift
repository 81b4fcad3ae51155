import GRPC
import HTTP
import Values

/// Bodies of reviews and of requests for tokens, as JSON or, as newer clients send them, as protobuf.
///
/// Source: Kubernetes' `generated.proto` of the groups authentication and authorization. Guarantee: reading ends for all
/// bytes; what is not described here has no effect.
enum ReviewBody {
    private indirect enum Shape: Sendable {
        case text, number
        case texts
        case message([Int: (name: String, shape: Shape)])
    }

    private static let mark: [UInt8] = [0x6b, 0x38, 0x73, 0]

    static func read(_ call: Call) throws(Failure) -> Node {
        let body = call.exchange.body
        if body.isEmpty { return .emptyMap }
        guard (call.exchange.header("Content-Type") ?? "").hasPrefix("application/vnd.kubernetes.protobuf") else {
            var diagnostics = Diagnostics()
            guard let node = JSONReader.read(body, file: "body", diagnostics: &diagnostics), diagnostics.isEmpty,
                node.map != nil
            else { throw .badRequest(diagnostics.kept.first?.description ?? "the body is no object") }
            return node
        }
        do throws(NotUnderstood) {
            guard body.starts(with: mark) else { throw NotUnderstood() }
            let envelope = try message(body.dropFirst(mark.count))
            let kind = try message(envelope.bytes(1)).string(2)
            guard let spec = specs[kind] else { return .emptyMap }
            let review = try message(envelope.bytes(2))
            return .map([("kind", .text(kind)), ("spec", try node(review.bytes(2), spec))])
        } catch {
            throw .badRequest("the body is no message of Kubernetes' protobuf")
        }
    }

    fileprivate struct NotUnderstood: Error {}

    private static func message(_ bytes: some Collection<UInt8>) throws(NotUnderstood) -> ProtoMessage {
        do throws(ProtoMessage.Malformed) { return try ProtoMessage(bytes) } catch { throw NotUnderstood() }
    }

    private static func node(
        _ bytes: ArraySlice<UInt8>, _ fields: [Int: (name: String, shape: Shape)]
    ) throws(NotUnderstood) -> Node {
        let fieldsFound = try message(bytes)
        var entries: [(String, Node?)] = []
        for (number, field) in fields.sorted(by: { $0.key < $1.key }) {
            switch field.shape {
            case .text: if let text = fieldsFound.all(number).last { entries.append((field.name, try text.text)) }
            case .number:
                let value = Int64(bitPattern: fieldsFound.number(number))
                if value != 0 { entries.append((field.name, .number(value))) }
            case .texts:
                var texts: [Node] = []
                for bytes in fieldsFound.all(number) { texts.append(try bytes.text) }
                if !texts.isEmpty { entries.append((field.name, .list(texts))) }
            case .message(let inner):
                if let bytes = fieldsFound.all(number).last { entries.append((field.name, try node(bytes, inner))) }
            }
        }
        return .map(entries)
    }

    private typealias Fields = [Int: (name: String, shape: Shape)]

    private static let access: Fields = [
        1: (
            "resourceAttributes",
            .message([
                1: ("namespace", .text), 2: ("verb", .text), 3: ("group", .text), 4: ("version", .text),
                5: ("resource", .text), 6: ("subresource", .text), 7: ("name", .text),
            ])
        ), 2: ("nonResourceAttributes", .message([1: ("path", .text), 2: ("verb", .text)])),
    ]

    private static let specs: [String: Fields] = [
        "SelfSubjectAccessReview": access,
        "SubjectAccessReview": access.merging(
            [3: ("user", .text), 4: ("groups", .texts), 6: ("uid", .text)], uniquingKeysWith: { first, _ in first }),
        "LocalSubjectAccessReview": access.merging(
            [3: ("user", .text), 4: ("groups", .texts), 6: ("uid", .text)], uniquingKeysWith: { first, _ in first }),
        "SelfSubjectRulesReview": [1: ("namespace", .text)],
        "TokenReview": [1: ("token", .text), 2: ("audiences", .texts)],
        "TokenRequest": [
            1: ("audiences", .texts),
            3: (
                "boundObjectRef",
                .message([1: ("kind", .text), 2: ("apiVersion", .text), 3: ("name", .text), 4: ("uid", .text)])
            ), 4: ("expirationSeconds", .number),
        ],
    ]
}

extension ArraySlice<UInt8> {
    fileprivate var text: Node {
        get throws(ReviewBody.NotUnderstood) {
            guard let text = String(validating: self, as: UTF8.self) else { throw ReviewBody.NotUnderstood() }
            return .text(text)
        }
    }
}
