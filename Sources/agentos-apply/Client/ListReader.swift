package import HTTPClient
package import Values

/// Cuts a list that arrives in pieces into its items, so that a list of any length is read in the space of one item.
///
/// Guarantee: a list that is cut off, too deep or no list is an error, never a shorter list.
package struct ListReader {
    /// What stands around the items.
    package struct Envelope: Equatable {
        package var version: String
        /// Where the list goes on; nil: it is complete.
        package var next: String?

        package init(version: String, next: String?) {
            self.version = version
            self.next = next
        }
    }

    private static let envelopeBytesMax = 1 << 20

    private var envelope: [UInt8] = []
    private var item: [UInt8] = []
    /// The last string outside of items: the key when a colon follows.
    private var lastString: [UInt8] = []
    private var key: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isInItems = false
    private var items = 0

    package init() {}

    /// Takes the next bytes, and gives each item that they complete to `take`.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, take: (Node) throws -> Void) throws {
        for byte in bytes {
            if isInItems { try item(byte, take) } else { try around(byte) }
        }
    }

    /// What stood around the items, when everything has come.
    package func end() throws(Client.Failure) -> Envelope {
        guard depth == 0, !isInItems, !envelope.isEmpty else { throw .cut("the list is not complete") }
        let node = try Answer.node(envelope)
        guard node["items"]?.list != nil else { throw .notUnderstood("it is no list") }
        let next = node[path: "metadata", "continue"]?.string ?? ""
        return Envelope(
            version: node[path: "metadata", "resourceVersion"]?.string ?? "0", next: next.isEmpty ? nil : next)
    }

    private mutating func around(_ byte: UInt8) throws {
        guard envelope.count < Self.envelopeBytesMax else {
            throw Client.Failure.tooLarge(bytesMax: Self.envelopeBytesMax)
        }
        envelope.append(byte)
        if isInString {
            if !advanceString(byte) { lastString.append(byte) }
            return
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            lastString = []
        case UInt8(ascii: ":"): key = lastString
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "["):
            depth += 1
            isInItems = depth == 2 && key.elementsEqual("items".utf8)
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }

    private mutating func item(_ byte: UInt8, _ take: (Node) throws -> Void) throws {
        if isInString {
            item.append(byte)
            _ = advanceString(byte)
        } else {
            switch byte {
            case UInt8(ascii: "]") where depth == 2:
                if items > 0 || !isBlank { try finishItem(take) }
                envelope.append(byte)
                depth = 1
                isInItems = false
                return
            case UInt8(ascii: ",") where depth == 2: return try finishItem(take)
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            item.append(byte)
        }
        guard item.count <= Limits.inputBytesMax else {
            throw Client.Failure.tooLarge(bytesMax: Limits.inputBytesMax)
        }
    }

    private var isBlank: Bool { item.allSatisfy { $0 <= 0x20 } }

    private mutating func finishItem(_ take: (Node) throws -> Void) throws {
        let node = try Answer.node(item)
        items += 1
        item.removeAll(keepingCapacity: true)
        try take(node)
    }

    /// True when the string goes on behind an escape or ends; false for a plain byte of it.
    private mutating func advanceString(_ byte: UInt8) -> Bool {
        if isEscaped {
            isEscaped = false
            return true
        }
        if byte == UInt8(ascii: "\\") {
            isEscaped = true
            return true
        }
        if byte == UInt8(ascii: "\"") {
            isInString = false
            return true
        }
        return false
    }
}

/// Reads what the daemon sent.
package enum Answer {
    /// One JSON value; anything else is an error, never an absence.
    package static func node(_ bytes: [UInt8]) throws(Client.Failure) -> Node {
        var diagnostics = Diagnostics()
        if let node = JSONReader.read(bytes, file: "", diagnostics: &diagnostics), diagnostics.isEmpty { return node }
        throw .notUnderstood(diagnostics.kept.first?.message ?? "it is no JSON")
    }
}
