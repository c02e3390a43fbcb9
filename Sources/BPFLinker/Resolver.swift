// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// Decides every import of one object.
///
/// A request decides for its import. Without one, the lists of libraries are searched, one after the other: in the first that
/// has the name exactly one library may offer it. A weak import that nobody offers stays unresolved. Whatever is found must have
/// the prototype that the object was compiled against.
struct Resolver {
    let object: Object
    /// In the order given.
    let requests: [ImportRequest]
    private let requestsByName: [String: [ImportRequest]]
    /// Lists that are searched in this order.
    let libraries: [[ProviderSnapshot]]
    let options: LinkOptions

    /// Who offers a function that the object imports, in the order of the lists and within them.
    private var offers: [String: [Offer]] = [:]
    private var providers: [ProviderSnapshot] = []
    private var slots: [UInt32: ProviderSlot] = [:]
    private var errors: [LinkError] = []
    /// The functions that are loaded, by name.
    private var loaded: Set<String> = []

    init(object: Object, requests: [ImportRequest], libraries: [[ProviderSnapshot]], options: LinkOptions) {
        self.object = object
        self.requests = requests
        self.requestsByName = Dictionary(grouping: requests, by: \.name)
        self.libraries = libraries.map(Self.distinct)
        self.options = options
        for wanted in object.imports { offers[wanted.name] = [] }
        if offers.isEmpty { return }
        for (list, providers) in ([Self.distinct(requests.map(\.provider))] + self.libraries).enumerated() {
            for provider in providers {
                for export in provider.exports where offers[export.name] != nil {
                    offers[export.name]?.append(Offer(list: list, provider: provider, export: export))
                }
            }
        }
    }

    private struct Offer {
        /// The list that the provider is in; 0 is that of providers which requests name.
        let list: Int
        let provider: ProviderSnapshot
        let export: ProviderExport
    }

    mutating func plan() throws(LinkErrors) -> LinkPlan {
        let programs = chosenPrograms()
        for program in programs { loaded.formUnion(object.functions(of: program.name)) }
        var bindings: [Binding] = []
        for (index, wanted) in object.imports.enumerated() { bindings += resolve(wanted, number: index) }
        checkRequests()
        if providers.count > Self.maximumProviders {
            errors.append(.tooManyProviders(providers.count, limit: Self.maximumProviders))
        }
        var copies = CopyPlanner(firstPoison: object.imports.count, allowsGlobals: options.verifiesCopiesOnce)
        let copyPlan = copies.plan(
            bindings.compactMap { binding in
                if case .copy(_, let provider) = binding.target { (binding.import, provider) } else { nil }
            }, errors: &errors)
        let planner = FixupPlanner(object: object, providers: providers)
        let fixups = planner.fixups(for: bindings, errors: &errors)
        if object.isLibrary && object.exports.isEmpty { errors.append(.nothingToLoad) }
        guard errors.isEmpty else { throw LinkErrors(errors: errors) }
        return LinkPlan(
            object, programs: programs, bindings: bindings, providers: providers, copies: copyPlan, importFixups: fixups,
            options: options)
    }

    /// A call has 16 bits, signed, for the slot (`bpf_insn.off`).
    private static let maximumProviders = Int(Int16.max)

    /// For how many errors similar exports are searched; each search looks at every export.
    private static let maximumSuggestions = 16

    // MARK: Programs

    private mutating func chosenPrograms() -> [EntryProgram] {
        let names = object.entryPrograms.map(\.name)
        for name in options.only + options.except where !names.contains(name) {
            errors.append(.noSuchProgram(name, programs: names, similar: similarNames(to: name, in: names)))
        }
        let chosen = object.entryPrograms.filter { program in
            let isAsked = options.only.isEmpty ? !program.sectionName.hasPrefix("?") : options.only.contains(program.name)
            return isAsked && !options.except.contains(program.name)
        }
        let isChoice = !(options.only + options.except).isEmpty
        if isChoice, chosen.isEmpty, errors.isEmpty { errors.append(.nothingChosen(programs: names)) }
        return chosen
    }

    /// Whether anything that is loaded uses an import; of a library, everything is.
    private func isUsed(_ wanted: Import) -> Bool {
        object.isLibrary || wanted.sites.isEmpty || wanted.sites.contains { loaded.contains($0.function) }
    }

    // MARK: One import

    /// - Returns: the binding, in parts where not all calls are bound alike; nothing if there is an error.
    private mutating func resolve(_ wanted: Import, number: Int) -> [Binding] {
        let requests = requestsByName[wanted.name] ?? []
        let requested = Self.distinct(requests.map(\.provider))
        if requested.count > 1 {
            errors.append(.conflictingRequests(wanted, requests))
            return []
        }
        if let request = requests.first {
            guard let export = offers[wanted.name]?.first(where: { $0.provider.id == request.provider.id })?.export else {
                let candidates = candidates(for: wanted, in: [request.provider])
                errors.append(.noSuchExport(request, import: wanted, candidates: candidates))
                return []
            }
            return bind(wanted, to: export, of: request.provider)
        }

        let offering = offering(wanted)
        if offering.count > 1 {
            errors.append(.ambiguous(wanted, offering.map(\.provider)))
            return []
        }
        if let offer = offering.first { return bind(wanted, to: offer.export, of: offer.provider) }
        if wanted.isWeak || !isUsed(wanted) {
            return [Binding(wanted, to: .unresolved(poison: Poison.immediate(forImport: number)))]
        }
        let searched = Self.distinct(libraries.flatMap { $0 } + self.requests.map(\.provider))
        errors.append(
            .undefinedImport(wanted, searched: searched, candidates: candidates(for: wanted, in: searched), withheld: []))
        return []
    }

    /// Who offers an import that no request decides, in the first list that has it.
    ///
    /// Programs that carry one object have the function of one source and with the same maps, so they are one provider: of them the
    /// one is taken in which the function can be called, else one that keeps it, else any, for a copy is the same from all.
    private func offering(_ wanted: Import) -> [Offer] {
        let offers = (offers[wanted.name] ?? []).drop { $0.list == 0 }
        var best: [Offer] = []
        for offer in offers.prefix(while: { $0.list == offers.first?.list }) {
            guard let index = best.firstIndex(where: { $0.provider.isOfOneObject(with: offer.provider) }) else {
                best.append(offer)
                continue
            }
            if offer.export.rank < best[index].export.rank { best[index] = offer }
        }
        return best
    }

    private mutating func bind(
        _ wanted: Import, to export: ProviderExport, of provider: ProviderSnapshot
    ) -> [Binding] {
        if let difference = wanted.prototype.firstDifference(from: export.prototype) {
            errors.append(.prototypeMismatch(wanted, provider: provider, export: export, difference: difference))
            return []
        }
        let ways = options.mode == .copy ? [] : ways(to: wanted, export)
        if options.mode != .copy, let verification = options.verification, ways.isEmpty {
            errors.append(.notVerifiable(wanted, verification, provider: provider))
            return []
        }
        if options.mode == .kernel, ways.isEmpty {
            errors.append(.notCallable(wanted, provider: provider))
            return []
        }
        let mayFallBack = options.mode == .auto && options.verification == nil
        let refusals = mayFallBack ? refusals(of: wanted, ways) : [:]
        if provider.carried == nil, ways.isEmpty || refusals[ways.count] != nil {
            errors.append(.notCopyable(wanted, provider: provider))
            return []
        }
        // A function is one piece of code for all programs that have it, so the calls in it are bound alike for all: as for the
        // program that can do least.
        var bindings: [Binding] = []
        var rest = wanted
        for (way, refusals) in refusals.sorted(by: { $0.key > $1.key }) {
            let functions = refusals.flatMap(\.programs).reduce(into: Set<String>()) { $0.formUnion(object.functions(of: $1)) }
            let part = rest.used { functions.contains($0.function) }
            rest = rest.used { !functions.contains($0.function) }
            if part.sites.isEmpty { continue }
            bindings.append(Binding(part, to: target(ways, way, export, provider), refusals: refusals))
        }
        if bindings.isEmpty || !rest.sites.isEmpty { bindings.append(Binding(rest, to: target(ways, 0, export, provider))) }
        return bindings
    }

    /// How a function can be called by FD and name, what is preferred first.
    private func ways(to wanted: Import, _ export: ProviderExport) -> [Verification] {
        let possible: [Verification] = (export.isCallable ? [.once] : []) + (export.hasBody ? [.chain] : [])
        if let verification = options.verification { return possible.filter { $0 == verification } }
        return wanted.isMarked && export.hasBody ? [.chain] : possible
    }

    /// - Parameter way: a position in the ways; behind the last one there is a copy.
    private mutating func target(
        _ ways: [Verification], _ way: Int, _ export: ProviderExport, _ provider: ProviderSnapshot
    ) -> Binding.Target {
        way < ways.count ? .call(export, slot(of: provider), ways[way]) : .copy(export, provider)
    }

    /// The programs to which the kernel refused an import, those with the same words together, by the way that is left to them.
    private func refusals(of wanted: Import, _ ways: [Verification]) -> [Int: [Binding.Refusal]] {
        let known = options.refusals
        let programs =
            object.isLibrary
            ? Set(known.imports.keys).union(known.bodyImports.keys).sorted() : object.entryPrograms.map(\.name)
        var refusals: [Int: [Binding.Refusal]] = [:]
        for program in programs {
            let words = ways.map { ($0 == .once ? known.imports : known.bodyImports)[program]?[wanted.name] }
            let way = words.firstIndex { $0 == nil } ?? words.count
            guard way > 0, let last = words[way - 1],
                wanted.sites.contains(where: { object.functions(of: program).contains($0.function) })
            else { continue }
            let index = refusals[way]?.firstIndex { $0.words == last }
            if let index, let alike = refusals[way]?[index] {
                refusals[way]?[index] = Binding.Refusal(programs: alike.programs + [program], words: last)
            } else {
                refusals[way, default: []].append(Binding.Refusal(programs: [program], words: last))
            }
        }
        return refusals
    }

    /// One slot per distinct provider, in the order of first use.
    private mutating func slot(of provider: ProviderSnapshot) -> ProviderSlot {
        if let slot = slots[provider.id] { return slot }
        let slot = ProviderSlot(providers.count)
        providers.append(provider)
        slots[provider.id] = slot
        return slot
    }

    // MARK: Requests and suggestions

    /// A request for something that the object does not import is a mistake, never silently ignored.
    private mutating func checkRequests() {
        let names = object.imports.map(\.name)
        let known = Set(names)
        for request in requests where !known.contains(request.name) {
            errors.append(.notImported(request, imports: names, similar: similarNames(to: request.name, in: names)))
        }
    }

    /// Exports of a similar name, nearest first; then those of the same prototype.
    private func candidates(for wanted: Import, in providers: [ProviderSnapshot]) -> [LinkError.Candidate] {
        // Where so much is wrong, a wrong provider was named and no name will do.
        if errors.count >= Self.maximumSuggestions { return [] }
        var near: [(distance: Int, candidate: LinkError.Candidate)] = []
        var alike: [LinkError.Candidate] = []
        for provider in providers {
            for export in provider.exports {
                let agrees = wanted.prototype.firstDifference(from: export.prototype) == nil
                let distance = nameDistance(wanted.name, export.name)
                let candidate = LinkError.Candidate(
                    provider: provider, export: export, isNear: distance != nil, agrees: agrees)
                if let distance {
                    near.append((distance, candidate))
                } else if agrees {
                    alike.append(candidate)
                }
            }
        }
        near.sort { ($0.distance, $0.candidate.export.name) < ($1.distance, $1.candidate.export.name) }
        // Where the very name is, others are no help.
        if near.first?.distance == 0 { return near.filter { $0.distance == 0 }.map(\.candidate) }
        return Array((near.map(\.candidate) + alike).prefix(3))
    }

    /// Providers without those whose id came before.
    private static func distinct(_ providers: [ProviderSnapshot]) -> [ProviderSnapshot] {
        var seen: Set<UInt32> = []
        return providers.filter { seen.insert($0.id).inserted }
    }
}

/// The immediate of a call to a weak import that nobody provides.
///
/// No helper has such a number, so a verifier that reaches the call refuses it and prints the number; the number tells which
/// import was meant.
public enum Poison {
    private static let base: Int32 = 2_019_000_000
    private static let limit: Int32 = 1_000_000

    /// The immediate for the import at a position of ``BPFObject/Object/imports``.
    public static func immediate(forImport index: Int) -> Int32 { base + Int32(clamping: min(index, Int(limit) - 1)) }

    /// The position in ``BPFObject/Object/imports`` that an immediate stands for, or nil if it is none of these.
    public static func importIndex(of immediate: Int32) -> Int? {
        immediate >= base && immediate < base + limit ? Int(immediate - base) : nil
    }
}
