/// Cuts what arrives in pieces into lines.
///
/// Guarantee: no line longer than the limit is gathered; a line whose end never came is an error, never a line.
package struct LineReader {
    /// One line of a watch or of the events: an object with what stands around it.
    private static let lineBytesMax = 64 << 20

    private var line: [UInt8] = []

    package init() {}

    /// Takes the next bytes, and gives each line that they complete to `take`, which returns false when it has enough.
    ///
    /// - Returns: false when `take` did.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, take: ([UInt8]) throws -> Bool) throws -> Bool {
        line.append(contentsOf: bytes)
        guard line.count <= Self.lineBytesMax else { throw Client.Failure.tooLarge(bytesMax: Self.lineBytesMax) }
        var start = line.startIndex
        var goesOn = true
        while goesOn, let end = line[start...].firstIndex(of: 0x0a) {
            goesOn = try take(Array(line[start..<end]))
            start = end + 1
        }
        line.removeSubrange(..<start)
        return goesOn
    }

    /// When everything has come.
    package func end() throws(Client.Failure) {
        if !line.isEmpty { throw .cut("it ended in the middle of a line") }
    }
}
