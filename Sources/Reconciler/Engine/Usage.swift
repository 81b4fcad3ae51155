import Manifests
import Planner

/// What live runs take of the machine.
public struct Usage: Sendable, Equatable {
    public var starting = 0
    public var cpuMilli: Int64 = 0
    public var memoryBytes: Int64 = 0

    init() {}

    init(_ agent: AgentState?) {
        for replica in agent?.replicas ?? [] where replica.phase.isLive {
            guard let run = replica.phase.run else { continue }
            if case .starting(_, seen: false) = replica.phase { starting += 1 }
            cpuMilli += run.spec.resources.requestCpuMilli
            memoryBytes += run.spec.resources.requestMemoryBytes
        }
    }

    mutating func add(_ other: Usage) {
        starting += other.starting
        cpuMilli += other.cpuMilli
        memoryBytes += other.memoryBytes
    }

    mutating func subtract(_ other: Usage) {
        starting -= other.starting
        cpuMilli -= other.cpuMilli
        memoryBytes -= other.memoryBytes
    }

    /// Something that another took has come free.
    func hasLess(than other: Usage) -> Bool { cpuMilli < other.cpuMilli || memoryBytes < other.memoryBytes }
}
