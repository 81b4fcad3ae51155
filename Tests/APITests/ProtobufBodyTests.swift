import GRPC
import Testing
import Values

@testable import API

/// Objects as Kubernetes' newer clients send them.
@Suite struct ProtobufBodyTests {
    private static func envelope(_ kind: String, _ fill: (inout ProtoWriter) -> Void) -> [UInt8] {
        var envelope = ProtoWriter()
        envelope.put(1) {
            $0.put(1, "v1")
            $0.put(2, kind)
        }
        envelope.put(2, message: fill)
        return [0x6b, 0x38, 0x73, 0] + envelope.bytes
    }

    @Test func aNamespaceIsReadWithItsLabels() throws {
        let bytes = Self.envelope("Namespace") { object in
            object.put(1) { metadata in
                metadata.put(1, "team")
                metadata.putAlways(3, [])
                metadata.putAlways(8, [])
                metadata.put(11, map: ["a": "b"])
            }
            object.putAlways(2, [])
            object.putAlways(3, [])
        }
        let expected = #"{"metadata":{"name":"team","labels":{"a":"b"}},"apiVersion":"v1","kind":"Namespace"}"#
        #expect(try ProtobufBody.read(bytes, "Namespace") == JSONReader.read(expected))
    }

    @Test func aSecretHasItsValuesInBase64() throws {
        let bytes = Self.envelope("Secret") { object in
            object.put(1) { $0.put(1, "s") }
            object.put(2) {
                $0.put(1, "k")
                $0.put(2, [0xff, 0x00] as [UInt8])
            }
            object.put(3, "Opaque")
        }
        let node = try ProtobufBody.read(bytes, "Secret")
        #expect(node[path: "data", "k"]?.string == "/wA=" && node["type"]?.string == "Opaque")
    }

    /// `kubectl auth can-i`, and the options of a typed client's deletion.
    @Test func questionsAndOptionsAreRead() throws {
        let review = Self.envelope("SelfSubjectAccessReview") { review in
            review.putAlways(1, [])
            review.put(2) { spec in
                spec.put(1) { attributes in
                    attributes.put(2, "get")
                    attributes.put(5, "pods")
                    attributes.putAlways(9, [])
                }
            }
            review.putAlways(3, [])
        }
        let node = try ProtobufBody.read(review, "SelfSubjectAccessReview")
        #expect(node["spec"] == JSONReader.read(#"{"resourceAttributes":{"verb":"get","resource":"pods"}}"#))
        let deletion = Self.envelope("DeleteOptions") { options in
            options.put(2) { $0.put(1, "u") }
            options.put(5, "All")
        }
        let options = try ProtobufBody.read(deletion, "DeleteOptions")
        #expect(options[path: "preconditions", "uid"] == "u" && options["dryRun"] == ["All"])
    }

    @Test func whatIsNoObjectIsRefused() {
        let unknown = Self.envelope("Namespace") { $0.put(99, "x") }
        let text = Self.envelope("Namespace") { $0.put(1) { $0.put(1, [0xff] as [UInt8]) } }
        let whole = Self.envelope("Namespace") { $0.put(1) { $0.put(1, "team") } }
        for bytes in [[], [1, 2, 3, 4], unknown, text, Array(whole.dropLast(2)), Array(whole.dropFirst(1))] {
            #expect(throws: (any Error).self) { try ProtobufBody.read(bytes, "Namespace") }
        }
        #expect(throws: (any Error).self) { try ProtobufBody.read(whole, "Agent") }
        // Whatever is flipped, reading ends.
        for index in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[index] ^= 1 << UInt8(bit)
                _ = try? ProtobufBody.read(bytes, "Namespace")
            }
        }
    }
}
