import Machine
import Values

/// What an image may still take on the disk while its layers are unpacked: a small archive can hold a very large image.
package struct UnpackingBudget {
    private var bytesLeft: Int64
    private var entriesLeft: Int
    private var sinceLook: Int64
    private let directory: String
    /// Bytes after which the free space is looked at again.
    private static let stepBytes: Int64 = 16 << 20

    init(directory: String) {
        self.init(
            directory: directory, bytesMax: Limits.unpackedBytesMax, entriesMax: Limits.unpackedEntriesMax)
    }

    package init(directory: String, bytesMax: Int64, entriesMax: Int) {
        self.directory = directory
        bytesLeft = bytesMax
        entriesLeft = entriesMax
        sinceLook = Self.stepBytes
    }

    package mutating func takeEntry() throws(Excess) {
        entriesLeft -= 1
        if entriesLeft < 0 { throw Self.tooMany }
    }

    package mutating func take(_ bytes: Int) throws(Excess) {
        bytesLeft -= Int64(bytes)
        if bytesLeft < 0 { throw Self.tooLarge }
        sinceLook += Int64(bytes)
        guard sinceLook >= Self.stepBytes else { return }
        sinceLook = 0
        try Self.checkFree(directory)
    }

    /// For what somebody else unpacks: whether a disk has room.
    static func checkFree(_ directory: String) throws(Excess) {
        if Files.freeBytes(directory) < Limits.unpackedFreeBytesMin {
            throw Excess(
                words:
                    "unpacking it would leave less than \(Limits.unpackedFreeBytesMin >> 20) MiB free at \(directory)")
        }
    }

    /// For what somebody else unpacks: whether all of it may be so much.
    package func check(bytes: Int64, entries: Int) throws(Excess) {
        if entries > entriesLeft { throw Self.tooMany }
        if bytes > bytesLeft { throw Self.tooLarge }
    }

    private static let tooMany = Excess(words: "it holds more than \(Limits.unpackedEntriesMax) files")
    private static let tooLarge = Excess(words: "it unpacks to more than \(Limits.unpackedBytesMax >> 30) GiB")

    package struct Excess: Error { package var words: String }
}
