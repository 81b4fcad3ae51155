package import Manifests
import Values

/// A list of objects of one kind, with the columns of its description.
package struct ObjectTable {
    private let columns: [Column]
    private let withNamespace: Bool
    private let nowMs: Int64

    package init(_ kind: Kind, isWide: Bool, withNamespace: Bool, nowMs: Int64) {
        columns = kind.definition.columns.filter { isWide || !$0.isWide }
        self.withNamespace = withNamespace && kind.isNamespaced
        self.nowMs = nowMs
    }

    package var header: [String] { (withNamespace ? ["NAMESPACE"] : []) + columns.map(\.name) }

    package func cells(_ object: ObjectView) -> [String] {
        (withNamespace ? [object.namespace] : [])
            + columns.map { column in
                switch column.cell(object.node) {
                case .text(let text): text
                case .number(let number): String(number)
                case .since(let time): Age.text(time, nowMs: nowMs)
                }
            }
    }
}
