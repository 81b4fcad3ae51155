import GRPC
import Values

/// Objects of Kubernetes' own kinds, reviews and options as its newer clients send them: a magic number, an envelope, and
/// the object in it.
///
/// Source: Kubernetes' `generated.proto` of the groups core, meta, rbac, authentication and authorization. Guarantee: reading ends for all bytes; a field
/// that is not described here is refused by its number, and what servers alone write is passed over.
enum ProtobufBody {
    private indirect enum Shape: Sendable {
        case text, flag, number, base64
        case message([Int: (name: String, shape: Shape)])
        case list(Shape)
        /// A map from texts to texts, or to bytes.
        case map(bytes: Bool)
        case passedOver
    }

    private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0]

    static func read(_ bytes: [UInt8], _ kind: String) throws(Failure) -> Node {
        guard bytes.starts(with: magic) else {
            throw .badRequest("the body does not begin as Kubernetes' protobuf does")
        }
        guard let shape = objects[kind] ?? questions[kind] else {
            throw Failure(
                code: 415, reason: "UnsupportedMediaType",
                message: "\(kind) is not read from protobuf; use JSON")
        }
        do throws(ProtoMessage.Malformed) {
            let envelope = try ProtoMessage(bytes.dropFirst(4))
            let type = try ProtoMessage(envelope.bytes(1))
            var node = try message(envelope.bytes(2), shape)
            if !type.string(1).isEmpty { node["apiVersion"] = .text(type.string(1)) }
            if !type.string(2).isEmpty { node["kind"] = .text(type.string(2)) }
            return node
        } catch {
            throw .badRequest("the body is no protobuf message of \(kind)")
        }
    }

    private static func message(
        _ bytes: ArraySlice<UInt8>, _ fields: [Int: (name: String, shape: Shape)]
    ) throws(ProtoMessage.Malformed) -> Node {
        let message = try ProtoMessage(bytes)
        var entries: [NodeMap.Entry] = []
        for number in message.numbers {
            guard let field = fields[number] else { throw ProtoMessage.Malformed(offset: bytes.startIndex) }
            if let value = try value(message, number, field.shape) {
                entries.append(NodeMap.Entry(key: field.name, value: value))
            }
        }
        return Node(.map(NodeMap(entries)))
    }

    private static func value(
        _ message: ProtoMessage, _ number: Int, _ shape: Shape
    ) throws(ProtoMessage.Malformed) -> Node? {
        switch shape {
        case .passedOver: return nil
        case .text:
            // Absent texts are sent as empty ones.
            let text = try text(message.bytes(number))
            return text.isEmpty ? nil : .text(text)
        case .flag: return Node(.bool(message.number(number) != 0))
        case .number: return .number(Int64(bitPattern: message.number(number)))
        case .base64: return .text(Base64.encode(Array(message.bytes(number))))
        case .message(let fields):
            let node = try Self.message(message.bytes(number), fields)
            return node.map?.isEmpty == true ? nil : node
        case .list(let item):
            var items: [Node] = []
            for bytes in message.all(number) {
                switch item {
                case .message(let fields): items.append(try Self.message(bytes, fields))
                case .text, .flag, .number, .base64, .list, .map, .passedOver: items.append(.text(try text(bytes)))
                }
            }
            return .list(items)
        case .map(let isBytes):
            var result = NodeMap()
            var places: [String: Int] = [:]
            for bytes in message.all(number) {
                let entry = try ProtoMessage(bytes)
                let key = try text(entry.bytes(1))
                let value = isBytes ? Base64.encode(Array(entry.bytes(2))) : try text(entry.bytes(2))
                if let place = places[key] {
                    result.entries[place].value = .text(value)
                } else {
                    places[key] = result.entries.count
                    result.entries.append(NodeMap.Entry(key: key, value: .text(value)))
                }
            }
            return Node(.map(result))
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws(ProtoMessage.Malformed) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProtoMessage.Malformed(offset: bytes.startIndex)
        }
        return text
    }

    // MARK: Kinds

    private typealias Fields = [Int: (name: String, shape: Shape)]

    private static let metadata: (name: String, shape: Shape) = (
        "metadata",
        .message([
            1: ("name", .text), 2: ("generateName", .text), 3: ("namespace", .text), 4: ("selfLink", .passedOver),
            5: ("uid", .text), 6: ("resourceVersion", .text), 7: ("generation", .passedOver),
            8: ("creationTimestamp", .passedOver), 9: ("deletionTimestamp", .passedOver),
            10: ("deletionGracePeriodSeconds", .passedOver), 11: ("labels", .map(bytes: false)),
            12: ("annotations", .map(bytes: false)),
            13: (
                "ownerReferences",
                .list(
                    .message([
                        1: ("kind", .text), 3: ("name", .text), 4: ("uid", .text), 5: ("apiVersion", .text),
                        6: ("controller", .flag), 7: ("blockOwnerDeletion", .flag),
                    ]))
            ),
            14: ("finalizers", .list(.text)), 17: ("managedFields", .passedOver),
        ])
    )
    private static let names: Shape = .list(.message([1: ("name", .text)]))
    private static let rules: Shape = .list(
        .message([
            1: ("verbs", .list(.text)), 2: ("apiGroups", .list(.text)), 3: ("resources", .list(.text)),
            4: ("resourceNames", .list(.text)), 5: ("nonResourceURLs", .list(.text)),
        ]))
    private static let role: Fields = [1: metadata, 2: ("rules", rules), 3: ("aggregationRule", .passedOver)]
    private static let binding: Fields = [
        1: metadata,
        2: (
            "subjects",
            .list(
                .message([
                    1: ("kind", .text), 2: ("apiGroup", .text), 3: ("name", .text), 4: ("namespace", .text),
                ]))
        ),
        3: ("roleRef", .message([1: ("apiGroup", .text), 2: ("kind", .text), 3: ("name", .text)])),
    ]

    private static let objects: [String: Fields] = [
        "Namespace": [
            1: metadata, 2: ("spec", .message([1: ("finalizers", .list(.text))])), 3: ("status", .passedOver),
        ],
        "ConfigMap": [
            1: metadata, 2: ("data", .map(bytes: false)), 3: ("binaryData", .map(bytes: true)), 4: ("immutable", .flag),
        ],
        "Secret": [
            1: metadata, 2: ("data", .map(bytes: true)), 3: ("type", .text), 4: ("stringData", .map(bytes: false)),
            5: ("immutable", .flag),
        ],
        "ServiceAccount": [
            1: metadata, 2: ("secrets", .list(.message([3: ("name", .text)]))), 3: ("imagePullSecrets", names),
            4: ("automountServiceAccountToken", .flag),
        ],
        "Role": role, "ClusterRole": role, "RoleBinding": binding, "ClusterRoleBinding": binding,
    ]

    // MARK: Questions

    private static let user: Fields = [3: ("user", .text), 4: ("groups", .list(.text)), 5: ("extra", .passedOver)]

    private static func review(_ spec: Fields) -> Fields {
        [1: ("metadata", .passedOver), 2: ("spec", .message(spec)), 3: ("status", .passedOver)]
    }

    /// Selectors narrow what is asked about; without them the question is about more.
    private static let access: Fields = [
        1: (
            "resourceAttributes",
            .message([
                1: ("namespace", .text), 2: ("verb", .text), 3: ("group", .text), 4: ("version", .text),
                5: ("resource", .text), 6: ("subresource", .text), 7: ("name", .text),
                8: ("fieldSelector", .passedOver), 9: ("labelSelector", .passedOver),
            ])
        ), 2: ("nonResourceAttributes", .message([1: ("path", .text), 2: ("verb", .text)])),
    ]
    private static let accessOfOthers = access.merging(user) { first, _ in first }
        .merging([6: ("uid", .text)]) { first, _ in first }

    private static let questions: [String: Fields] = [
        "SelfSubjectReview": [1: ("metadata", .passedOver), 2: ("status", .passedOver)],
        "SelfSubjectAccessReview": review(access), "SubjectAccessReview": review(accessOfOthers),
        "LocalSubjectAccessReview": review(accessOfOthers),
        "SelfSubjectRulesReview": review([1: ("namespace", .text)]),
        "TokenReview": review([1: ("token", .text), 2: ("audiences", .list(.text))]),
        "TokenRequest": review([
            1: ("audiences", .list(.text)),
            3: (
                "boundObjectRef",
                .message([1: ("kind", .text), 2: ("apiVersion", .text), 3: ("name", .text), 4: ("uid", .text)])
            ), 4: ("expirationSeconds", .number),
        ]),
        "DeleteOptions": [
            1: ("gracePeriodSeconds", .number),
            2: ("preconditions", .message([1: ("uid", .text), 2: ("resourceVersion", .text)])),
            3: ("orphanDependents", .flag), 4: ("propagationPolicy", .text), 5: ("dryRun", .list(.text)),
            6: ("ignoreStoreReadErrorWithClusterBreakingPotential", .passedOver),
        ],
    ]
}
