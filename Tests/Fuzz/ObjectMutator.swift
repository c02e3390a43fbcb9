// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

/// Changes an object where it means something: a field of a header, symbol, relocation, type, record or instruction becomes
/// another value of its kind or one at which arithmetic breaks. Now and then bytes change as libFuzzer likes.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
    var mutator = ObjectMutator(image: Image(data, count: count, capacity: capacity), random: Random(state: UInt64(seed)))
    if mutator.random.below(12) == 0 { return mutateBytes(data, count, capacity) }
    for _ in 0...mutator.random.below(4) where !mutator.change() { return mutateBytes(data, count, capacity) }
    return mutator.image.count
}

private struct ObjectMutator {
    var image: Image
    var random: Random

    /// Makes one change; false if there is nothing to change.
    mutating func change() -> Bool {
        if image.load(0, 2) == 0xeb9f { return changeTypes(0..<image.count) }
        let sections = image.sections
        guard let section = random.element(sections) else { return false }
        switch random.below(16) {
        case 0: put(random.element([(16, 2), (18, 2), (40, 8), (52, 2), (58, 2), (60, 2), (62, 2)]))
        case 1, 2: changeHeader(of: section, among: sections)
        case 3: grow(section)
        case 4:
            if let types = sections.first(where: { $0.name == ".BTF" }), random.below(50) == 0 { image.keep(types.contents) }
        default: return changeContents(of: section)
        }
        return true
    }

    private mutating func changeContents(of section: Image.Section) -> Bool {
        switch section.type {
        case 2: changeEntry(of: section, size: 24, fields: [(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)])
        case 9: changeRelocation(in: section)
        case 3: changeStrings(section.contents)
        case 1 where section.name == ".BTF": return changeTypes(section.contents)
        case 1 where section.name == ".BTF.ext": changeExtension(section.contents)
        case 1: changeInstruction(in: section)
        default: put((section.contents.lowerBound, 4))
        }
        return true
    }

    // MARK: Tables

    private mutating func changeHeader(of section: Image.Section, among sections: [Image.Section]) {
        let fields = [(0, 4), (4, 4), (8, 8), (24, 8), (32, 8), (40, 4), (44, 4), (56, 8)]
        guard let field = random.element(fields), let other = random.element(sections) else { return }
        if random.below(3) == 0 {
            // What another section says: two tables in one place, a name of two sections.
            image.store(image.load(other.header + field.0, field.1), section.header + field.0, field.1)
        } else {
            put((section.header + field.0, field.1))
        }
    }

    /// Lets a section end in copies of its own bytes, behind the end of the file.
    private mutating func grow(_ section: Image.Section) {
        guard !section.contents.isEmpty else { return }
        let old = image.count
        guard image.append(section.contents) else { return }
        for _ in 0..<random.below(6) { _ = image.append(section.contents) }
        image.store(UInt64(old), section.header + 24, 8)
        image.store(UInt64(image.count - old), section.header + 32, 8)
    }

    private mutating func changeEntry(of section: Image.Section, size: Int, fields: [(Int, Int)]) {
        let entries = section.contents.count / size
        guard entries > 0, let field = random.element(fields) else { return }
        let entry = section.contents.lowerBound + random.below(entries) * size
        if random.below(4) == 0 {
            let other = section.contents.lowerBound + random.below(entries) * size
            image.copy(random.below(2) == 0 ? size : field.1, from: other + field.0, to: entry + field.0)
        } else {
            put((entry + field.0, field.1))
        }
    }

    private mutating func changeRelocation(in section: Image.Section) {
        let entries = section.contents.count / 16
        guard entries > 0 else { return }
        let entry = section.contents.lowerBound + random.below(entries) * 16
        switch random.below(3) {
        case 0: image.store(UInt64(random.below(64) * 8), entry, 8)
        case 1: image.store(random.element([0, 1, 2, 3, 4, 10]) ?? 0, entry + 8, 4)
        default: image.store(UInt64(random.below(40)), entry + 12, 4)
        }
        if random.below(8) == 0 { put((entry + random.below(2) * 8, 8)) }
    }

    private mutating func changeStrings(_ strings: Range<Int>) {
        guard !strings.isEmpty else { return }
        let position = strings.lowerBound + random.below(strings.count)
        image.store(random.element([0, 0x2e, 0x41, 0x0a, 0x80, 0xff]) ?? 0, position, 1)
    }

    private mutating func changeInstruction(in section: Image.Section) {
        let slots = section.contents.count / 8
        guard slots > 0 else { return put((section.contents.lowerBound, 1)) }
        let slot = section.contents.lowerBound + random.below(slots) * 8
        switch random.below(4) {
        // A call, a two-slot load, exit, packet loads, a store to the stack, a move from the frame pointer.
        case 0: image.store(random.element([0x85, 0x18, 0x95, 0x20, 0x40, 0x7b, 0x62, 0xbf, 0x07]) ?? 0, slot, 1)
        case 1: image.store(UInt64(random.below(16) << 4 | random.below(12)), slot + 1, 1)
        case 2: put((slot + 2, 2))
        default: put((slot + 4, 4))
        }
    }

    // MARK: Types

    private mutating func changeTypes(_ section: Range<Int>) -> Bool {
        let (records, strings) = image.types(at: section)
        guard let record = random.element(records), let other = random.element(records) else { return false }
        let end = records.first { $0 > record } ?? record + 12
        switch random.below(12) {
        case 0: put(random.element([4, 8, 12, 16, 20].map { (section.lowerBound + $0, 4) }))
        case 1: changeStrings(strings)
        case 2: image.copy(end - record, from: other, to: record)
        // Name, kind, number of members, size or type, and what follows.
        case 3: image.store(UInt64(random.below(max(1, strings.count))), record, 4)
        case 4: image.store(UInt64(random.below(32)), record + 7, 1)
        case 5: put((record + 4, 2))
        case 6: image.store(image.load(record + 7, 1) ^ 0x80, record + 7, 1)
        case 7, 8: image.store(UInt64(random.below(records.count + 2)), record + 8, 4)
        case 9: put((record + 8, 4))
        default:
            let word = record + 12 + 4 * random.below(max(1, (end - record - 12) / 4))
            if random.below(2) == 0 { put((word, 4)) } else { image.store(UInt64(random.below(records.count + 2)), word, 4) }
        }
        return true
    }

    /// `.BTF.ext`: header words, and the words of its tables, which are sizes, counts, names and ids.
    private mutating func changeExtension(_ section: Range<Int>) {
        guard section.count >= 32 else { return }
        if random.below(3) == 0 { return put((section.lowerBound + 4 * (1 + random.below(7)), 4)) }
        let word = section.lowerBound + 32 + 4 * random.below((section.count - 32) / 4 + 1)
        if random.below(2) == 0 { put((word, 4)) } else { image.copy(4, from: word + 8, to: word) }
    }

    // MARK: Values

    private mutating func put(_ field: (position: Int, size: Int)?) {
        guard let field else { return }
        let old = image.load(field.position, field.size)
        let value: UInt64 =
            switch random.below(4) {
            case 0: random.element(Self.edges) ?? 0
            case 1: old &+ UInt64(random.below(17)) &- 8
            case 2: UInt64(random.below(image.count + 64))
            default: UInt64(random.below(256))
            }
        image.store(value, field.position, field.size)
    }

    private static let edges: [UInt64] = [
        0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xff00, 0xfff1, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32,
        0x7fff_ffff_ffff_ffff, 1 << 63, .max - 7, .max,
    ]
}

/// Numbers from a seed, so that a run repeats (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
private struct Random {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(max(1, limit)))
    }

    mutating func element<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }
}
