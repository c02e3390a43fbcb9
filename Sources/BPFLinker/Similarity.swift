// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The edit distance (Levenshtein) of two names if they are near enough that one may be meant for the other, else nil.
///
/// Near is at most a third of the longer name, and at least one edit.
func nameDistance(_ a: String, _ b: String) -> Int? {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    let limit = max(1, max(a.count, b.count) / 3)
    if abs(a.count - b.count) > limit { return nil }

    var previous = Array(0...b.count)
    for (row, x) in a.enumerated() {
        var current = [row + 1]
        current.reserveCapacity(b.count + 1)
        for (column, y) in b.enumerated() {
            current.append(min(previous[column] + (x == y ? 0 : 1), previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[b.count] <= limit ? previous[b.count] : nil
}

/// The names near to one, nearest first, at most three.
func similarNames(to name: String, in names: [String]) -> [String] {
    let near = names.compactMap { other in nameDistance(name, other).map { ($0, other) } }
    return near.sorted { $0 < $1 }.prefix(3).map(\.1)
}
