import Planner
import Reconciler
import Values

/// What was measured, and how Objectives stood.
extension SQLiteStore {
    private static let clock = "measurements_clock"

    func save(_ write: Measurements.Write) throws(StoreFailure) {
        switch write {
        case .clock(let clock):
            try database.run(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                [.text(Self.clock), .text("\(clock.ms)@\(Column.text(clock.at))")])
        case .bucket(let measured, let bucket):
            try database.run(
                "DELETE FROM measurements WHERE measured = ? AND start_ms > ? AND start_ms < ?",
                [.text(measured.rawValue), .int(bucket.startMs), .int(bucket.endMs)])
            try database.run(
                "INSERT OR REPLACE INTO measurements VALUES (?,?,?,?,?,?)",
                [
                    .text(measured.rawValue), .int(bucket.startMs), .int(bucket.lengthMs),
                    .int(Int64(bucket.counts.good)), .int(Int64(bucket.counts.bad)),
                    .text(Column.text(bucket.counts.latencies)),
                ])
        case .dropped(let measured, let beforeMs):
            try database.run(
                "DELETE FROM measurements WHERE measured = ? AND start_ms < ?",
                [.text(measured.rawValue), .int(beforeMs)])
        }
    }

    func loadMeasurements(into state: inout EngineState) throws(StoreFailure) {
        let clock = try database.query("SELECT value FROM meta WHERE key = ?", [.text(Self.clock)]) {
            row throws(StoreFailure) in try row.value(0, Column.clock)
        }.first
        var buckets: [Measured: [SlidingWindow.Bucket]] = [:]
        let rows = try database.query(
            "SELECT measured, start_ms, length_ms, good, bad, latencies FROM measurements ORDER BY measured, start_ms"
        ) { row throws(StoreFailure) in
            let counts = Counts(
                good: try row.count(3), bad: try row.count(4), latencies: try row.value(5, Column.histogram))
            let bucket = SlidingWindow.Bucket(startMs: try row.int(1), lengthMs: try row.int(2), counts: counts)
            return (try row.value(0, Column.name) as Measured, bucket)
        }
        for (measured, bucket) in rows { buckets[measured, default: []].append(bucket) }
        state.measurements = Measurements(clock, buckets)
    }
}

extension Column {
    static func clock(_ text: String) throws(Damage) -> WindowClock {
        let parts = text.split(separator: "@", maxSplits: 1)
        guard parts.count == 2, let ms = WholeNumber.read(parts[0], in: Int64.min...Int64.max) else {
            throw Damage("it is no clock: \"\(text.prefix(60))\"")
        }
        return WindowClock(ms: ms, at: try moment(String(parts[1])))
    }

    /// Buckets and their counts, in turn.
    static func text(_ histogram: LatencyHistogram) -> String {
        JSONWriter.text(.list(histogram.entries.flatMap { [.number($0.bucket), .number($0.count)] }))
    }

    static func histogram(_ text: String) throws(Damage) -> LatencyHistogram {
        let items = (try Document.tree(text).list ?? []).map(\.int)
        let numbers = items.compactMap(\.self)
        let entries = stride(from: 0, to: numbers.count - numbers.count % 2, by: 2).map {
            LatencyHistogram.Entry(bucket: numbers[$0], count: numbers[$0 + 1])
        }
        guard numbers.count == items.count, numbers.count == 2 * entries.count,
            let histogram = LatencyHistogram(entries)
        else { throw Damage("it is no histogram: \"\(text.prefix(60))\"") }
        return histogram
    }

    static func status(_ objective: ObjectiveState) -> String {
        let reading = objective.reading
        return JSONWriter.text(
            .map([
                ("observedGeneration", .number(objective.observedGeneration)),
                ("phase", .text(reading.phase.rawValue)), ("good", .number(reading.good)),
                ("bad", .number(reading.bad)), ("latencyMs", reading.latencyMs.map { .number($0) }),
                (
                    "burns",
                    .list(
                        reading.burns.map { burn in
                            .map([
                                ("longMs", .number(burn.longMs)), ("shortMs", .number(burn.shortMs)),
                                ("limit", .number(burn.limit)), ("long", .number(burn.long)),
                                ("short", .number(burn.short)),
                            ])
                        })
                ),
                // Nothing was measured: less than any share.
                ("trend", .list(reading.trend.map { .number($0 ?? -1) })),
                ("readAtMs", .number(objective.readAtMs)), ("conditions", conditions(objective.conditions)),
            ]))
    }

    static func objective(_ text: String) throws(Damage) -> ObjectiveState {
        let stored = try Document(text)
        var objective = ObjectiveState()
        objective.observedGeneration = try stored.number("observedGeneration")
        objective.reading.phase = try stored.value("phase", ObjectivePhase.init)
        objective.reading.good = try stored.count("good")
        objective.reading.bad = try stored.count("bad")
        objective.reading.latencyMs = try stored.optionalNumber("latencyMs").map(Int64.init)
        for burn in try stored.documents("burns") {
            objective.reading.burns.append(
                Burn(
                    longMs: try burn.number("longMs"), shortMs: try burn.number("shortMs"),
                    limit: try burn.count("limit"), long: try burn.count("long"), short: try burn.count("short")))
        }
        let trend = try stored.tree("trend").list ?? []
        objective.reading.trend = trend.map { item in item.int.flatMap { $0 < 0 ? nil : $0 } }
        objective.readAtMs = try stored.number("readAtMs")
        objective.conditions = try conditions(stored)
        return objective
    }
}
