// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An instruction of a section.
struct Place: Hashable, Comparable {
    let section: SectionIndex
    let instruction: InstructionIndex

    static func < (a: Self, b: Self) -> Bool { (a.section, a.instruction) < (b.section, b.instruction) }
}

/// Values by the instructions that they are about. Objects have them in order, or nearly so, which makes it quicker than a
/// dictionary to build.
struct PlaceTable<Value> {
    private let entries: [(place: Place, value: Value)]

    init(_ entries: [(place: Place, value: Value)]) {
        let isSorted = zip(entries, entries.dropFirst()).allSatisfy { $0.place <= $1.place }
        self.entries = isSorted ? entries : entries.sorted { $0.place < $1.place }
    }

    /// The second entry of a place that has two; nil if each has one.
    var repeated: (place: Place, value: Value)? {
        zip(entries, entries.dropFirst()).first { $0.place == $1.place }.map(\.1)
    }

    /// The value of a place, or of the first of several entries.
    subscript(place: Place) -> Value? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].place == place ? entries[low].value : nil
    }
}
