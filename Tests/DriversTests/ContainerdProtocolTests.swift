import Foundation
import Testing

/// Field numbers and methods of containerd's API stand in one file for each of its services.
@Suite struct ContainerdProtocolTests {
    private static let drivers = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/Drivers").standardized

    private static func sources() throws -> [(path: String, text: String)] {
        let all = try #require(FileManager.default.enumerator(at: drivers, includingPropertiesForKeys: nil))
        return try all.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map {
            (String($0.path.dropFirst(drivers.path.count + 1)), try String(contentsOf: $0, encoding: .utf8))
        }
    }

    @Test func fieldNumbersLeaveTheirFilesNowhere() throws {
        let number = #/\.(put|putAlways|message|messages|string|number|bytes|map|all|list)\(\d/#
        let method = #/"[a-z]+\.v\d\.[A-Z]/#
        var services: [String: [String]] = [:]
        for (path, text) in try Self.sources() {
            if path.hasPrefix("Containerd/API/") {
                for match in text.matches(of: method) { services[String(match.output), default: []].append(path) }
            } else {
                #expect(text.firstMatch(of: number) == nil, "\(path)")
                #expect(text.firstMatch(of: method) == nil, "\(path)")
            }
        }
        #expect(services.count == 11)
        for (service, files) in services { #expect(Set(files).count == 1, "\(service): \(files)") }
    }
}
