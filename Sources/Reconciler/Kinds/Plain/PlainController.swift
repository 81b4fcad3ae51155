/// Kinds that are kept and shown, and from which nothing follows.
struct PlainController: KindController {}

/// Such kinds whose objects come and go: events of clients, and leases, which are renewed every few seconds.
struct FleetingController: KindController {
    static let traits = KindTraits(isFleeting: true)
}
