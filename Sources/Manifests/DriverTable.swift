/// What a driver can honour of an agent, as the driver itself publishes it: true of every machine.
public struct DriverCapabilities: Sendable, Equatable {
    /// Where the program of an agent comes from.
    public enum Program: Sendable, Equatable {
        /// The image names a command, unless the agent does.
        case image
        /// The agent names its command, for this reason.
        case command(why: String)
    }

    public let name: String
    public let program: Program
    /// The network of an agent that asks for none.
    public let usualNetwork: AgentSpec.Network
    /// A user id that an agent names is one of its own surroundings, and gives it nothing of the machine's user.
    public let hasOwnUsers: Bool
    public let features: Set<AgentFeature>
    /// Why it cannot honour others, where there is more to say.
    public let reasons: [AgentFeature: String]

    public init(
        name: String, program: Program, usualNetwork: AgentSpec.Network, hasOwnUsers: Bool, features: Set<AgentFeature>,
        reasons: [AgentFeature: String] = [:]
    ) {
        self.name = name
        self.program = program
        self.usualNetwork = usualNetwork
        self.hasOwnUsers = hasOwnUsers
        self.features = features
        self.reasons = reasons
    }
}

/// The drivers that an agent can name. Refusals of what a driver cannot honour are made here and nowhere else.
public struct DriverTable: Sendable, Equatable {
    public let drivers: [DriverCapabilities]
    /// Of an agent that names none: the first.
    public var usual: DriverCapabilities? { drivers.first }

    public init(_ drivers: [DriverCapabilities]) { self.drivers = drivers }

    /// For what names no driver: every name and every feature is taken, and none is filled in.
    public static let none = DriverTable([])

    public subscript(name: String) -> DriverCapabilities? { drivers.first { $0.name == name } }

    public var names: [String] { drivers.map(\.name) }

    /// What an agent is told whose driver cannot honour a feature; nil: it can.
    func refusal(of feature: AgentFeature, by driver: DriverCapabilities) -> String? {
        if driver.features.contains(feature) { return nil }
        let why = driver.reasons[feature].map { ", \($0)" } ?? ""
        let others = drivers.filter { $0.features.contains(feature) }.map(\.name)
        return "the driver \(driver.name) cannot honour this\(why)"
            + (others.isEmpty ? "" : "; \(others.joined(separator: " and ")) can")
    }
}
