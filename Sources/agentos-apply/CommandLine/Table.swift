import Values

/// Columns as wide as their widest cell. Cells may come from anybody.
package struct Table {
    package var header: [String]
    package private(set) var rows: [[String]]
    /// The column named PHASE is coloured, as phases are wherever they stand alone.
    package var hasColor: Bool

    package init(_ header: [String], _ rows: [[String]], hasColor: Bool) {
        self.header = header
        self.rows = rows.map { $0.map(\.printable) }
        self.hasColor = hasColor
    }

    package func text(withHeader: Bool = true) -> String {
        var widths = header.map(\.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        let phase = header.firstIndex(of: "PHASE")
        func line(_ cells: [String], _ coloured: Int?) -> String {
            var out = ""
            for (index, cell) in cells.enumerated() {
                out += index == coloured ? Phase.colored(cell, hasColor) : cell
                if index < cells.count - 1 { out += String(repeating: " ", count: widths[index] - cell.count + 2) }
            }
            return out + "\n"
        }
        return (withHeader ? line(header, nil) : "") + rows.map { line($0, phase) }.joined()
    }
}

/// The colours of phases and of the status of conditions.
enum Phase {
    static func colored(_ phase: String, _ hasColor: Bool) -> String {
        let code =
            switch phase {
            case "Ready", "Completed", "True": "32"
            case "Failed", "BackingOff", "False": "31"
            case "Starting", "Stopping", "Scheduled", "Created": "33"
            default: "0"
            }
        return Paint.words(hasColor: hasColor).colored(phase, code)
    }
}
