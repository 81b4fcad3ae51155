import Loop

/// One metric: what it is called and means, and how it is read. What is served and what the documents say is made of the
/// table of these.
struct Metric: Sendable {
    enum Kind: String, Sendable {
        case gauge, counter, histogram
    }

    /// A name that tells the values of a metric from each other; the number of its values has a bound.
    struct Label: Sendable {
        let name: String
        /// What its values are.
        let values: String
    }

    enum Value {
        case number(Double)
        case histogram(Histogram)
    }

    /// With the values of the labels, in their order.
    typealias Sample = (labels: [String], value: Value)

    let name: String
    let kind: Kind
    let help: String
    let labels: [Label]
    let read: @Sendable (Server) -> [Sample]

    /// A metric with labels.
    init(
        _ kind: Kind, _ name: String, _ help: String, by labels: Label...,
        read: @escaping @Sendable (Server) -> [([String], Double)]
    ) {
        (self.name, self.kind, self.help, self.labels) = (name, kind, help, labels)
        self.read = { server in read(server).map { ($0.0, .number($0.1)) } }
    }

    /// A metric that is one number.
    init(_ kind: Kind, _ name: String, _ help: String, one: @escaping @Sendable (Server) -> Double) {
        (self.name, self.kind, self.help, labels) = (name, kind, help, [])
        read = { [([], .number(one($0)))] }
    }

    /// A histogram of durations.
    init(
        histogram name: String, _ help: String, by labels: Label...,
        read: @escaping @Sendable (Server) -> [([String], Histogram)]
    ) {
        (self.name, kind, self.help, self.labels) = (name, .histogram, help, labels)
        self.read = { server in read(server).map { ($0.0, .histogram($0.1)) } }
    }

    /// The names that its lines begin with.
    var seriesNames: [String] {
        switch kind {
        case .gauge, .counter: [name]
        case .histogram: ["\(name)_bucket", "\(name)_sum", "\(name)_count"]
        }
    }
}
