/// Finds what a misspelt word was meant to be.
public enum Suggestion {
    /// `; did you mean "x"?`, or nothing when no word is near.
    public static func text(for word: String, among words: [String]) -> String {
        nearest(to: word, among: words).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// - Parameter editsMax: letters that may be wrong; a third of the word without it.
    public static func nearest(to word: String, among words: [String], within editsMax: Int? = nil) -> String? {
        guard word.count <= 64 else { return nil }
        let best = words.map { ($0, distance(word.lowercased(), $0.lowercased())) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        guard let best, best.1 <= editsMax ?? max(1, word.count / 3) else { return nil }
        return best.0
    }

    /// Edit distance with swapped neighbours counted once (optimal string alignment).
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.unicodeScalars)
        let b = Array(b.unicodeScalars)
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var before: [Int] = []
        var previous = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                var cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, before[j - 2] + 1) }
                row.append(cost)
            }
            before = previous
            previous = row
        }
        return previous[b.count]
    }
}
