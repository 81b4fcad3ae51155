import CLinux
import GRPC
import Machine
import Values

/// What the layers of an image take while containerd unpacks them: a small archive can hold a very large image.
struct UnpackingWatch {
    private typealias Usage = (bytes: Int64, entries: Int)

    private let snapshots: ContainerdClient.Snapshots
    private let budget: UnpackingBudget
    private var done: Usage = (0, 0)
    private var key = ""
    private var directory: String?
    private var nextUsageMs: Int64 = 0

    init(_ snapshots: ContainerdClient.Snapshots) {
        self.snapshots = snapshots
        budget = UnpackingBudget(directory: "")
    }

    /// - Parameter directory: where the layer is unpacked, if that is known.
    mutating func begin(_ key: String, in directory: String?) {
        self.key = key
        self.directory = directory
        nextUsageMs = agentos_boot_ms() + Self.usageMs
    }

    /// How often all files of a layer are looked at, at most.
    private static let usageMs: Int64 = 2000

    /// Why the layer that is being unpacked is too large.
    mutating func look() async -> UnpackingBudget.Excess? {
        if let excess = lacksRoom() { return excess }
        guard agentos_boot_ms() >= nextUsageMs else { return nil }
        let before = agentos_boot_ms()
        let excess: UnpackingBudget.Excess?
        // Files come and go meanwhile; at the end it is measured again.
        do throws(GRPCFailure) { excess = try await measure().excess } catch { excess = nil }
        // It costs the more the larger it is.
        nextUsageMs = agentos_boot_ms() + max(Self.usageMs, 10 * (agentos_boot_ms() - before))
        return excess
    }

    /// A layer that is there already is of the image, too.
    mutating func add(_ name: String) async throws(GRPCFailure) { done = try await total(with: name) }

    /// The layer is unpacked: what it takes counts for those that follow.
    mutating func finish() async throws(GRPCFailure) -> UnpackingBudget.Excess? {
        let (used, excess) = try await measure()
        done = used
        return excess
    }

    private func lacksRoom() -> UnpackingBudget.Excess? {
        guard let directory, Files.exists(directory) else { return nil }
        do throws(UnpackingBudget.Excess) { try UnpackingBudget.checkFree(directory) } catch { return error }
        return nil
    }

    private func measure() async throws(GRPCFailure) -> (used: Usage, excess: UnpackingBudget.Excess?) {
        let used = try await total(with: key)
        do throws(UnpackingBudget.Excess) { try budget.check(bytes: used.bytes, entries: used.entries) } catch {
            return (used, error)
        }
        return (used, nil)
    }

    private func total(with layer: String) async throws(GRPCFailure) -> Usage {
        let layer = try await snapshots.usage(layer)
        return (done.bytes.addingSaturated(layer.bytes), done.entries.addingSaturated(layer.entries))
    }
}
