import Loop
import Reconciler

/// The sinks of the settings, made and kept: one that is configured as before goes on with its connections.
final class ConfiguredSinks {
    private var made: [String: (place: SinkSetting.Place, sink: any EventSink)] = [:]
    private let log: Log

    init(_ log: Log) { self.log = log.about(.sinks) }

    func sinks(of settings: Settings) -> [NamedSink] {
        let before = made
        made = [:]
        return settings.sinks.map { setting in
            let old = before[setting.name].flatMap { $0.place == setting.place ? $0.sink : nil }
            let sink =
                old
                ?? setting.place.sink { [log, name = setting.name] words in
                    log.error("a sink has trouble", [("sink", name), ("problem", words)])
                }
            made[setting.name] = (setting.place, sink)
            return NamedSink(rule: setting.rule, sink: sink)
        }
    }
}
