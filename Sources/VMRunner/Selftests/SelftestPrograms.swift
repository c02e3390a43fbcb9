// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// The selftests' programs, objects and scripts of one flavour as they were built from the patched tree. Both kernels
/// run the same.
struct SelftestPrograms: Sendable {
    var flavour: SelftestFlavour
    /// The digest of what they were built from and with.
    var id: String
    /// Holds `files`, and `about.json` with what the sources tell.
    var directory: String
    var sources: SelftestSources

    /// What the machine finds in `/selftests`.
    var files: String { "\(directory)/files" }

    /// The objects that veristat is given.
    func objects() throws(RunnerError) -> [String] { try Files.list(files).filter { $0.hasSuffix(".bpf.o") } }

    /// Builds them, or finds them in the cache.
    /// - Parameters:
    ///   - build: that of the patched kernel.
    ///   - types: the kernel whose types the BPF programs are compiled against: the stock one, so that no other kernel's
    ///     are taken for granted; libbpf relocates them to those of the running kernel.
    static func make(
        _ flavour: SelftestFlavour, _ build: KernelBuild, kernel: StoredKernel, types: StoredKernel,
        installation: Installation, cache: Cache, note: (String) -> Void, progress: (BuildProgress) -> Void
    ) throws -> SelftestPrograms {
        let tools = try SelftestTools.find()
        let id = try Digest.of("selftests 2\n\(flavour.name)\n\(kernel.id)\n\(types.id)\n\(tools.version)")
        let directory = "\(try cache.directory("selftests"))/programs-\(id)"
        if let sources = SelftestPrograms.sources(directory) {
            return SelftestPrograms(flavour: flavour, id: id, directory: directory, sources: sources)
        }
        return try build.withTree(installation: installation, cache: cache, note: note, progress: progress) { tree in
            let output = try cache.directory("build/selftests/programs")
            let source = "\(tree.source)/\(SelftestSources.directory)"
            note("building the \(flavour.name) selftests \(id.prefix(12)) (log: \(output).log)")
            try compile(
                flavour, tree, types: types.image, source: source, output: output, tools: tools, jobs: build.jobs,
                progress: progress)
            let sources = try SelftestSources(directory: source)
            let unfinished = "\(directory).\(getpid()).new"
            defer { Files.remove(unfinished) }
            try Files.makeDirectory("\(unfinished)/files")
            try collect(flavour, from: output, source: source, to: "\(unfinished)/files")
            try Files.write(sources.json.description.utf8, to: "\(unfinished)/about.json")
            Files.remove(directory)
            try Files.rename(unfinished, to: directory)
            return SelftestPrograms(flavour: flavour, id: id, directory: directory, sources: sources)
        }
    }

    private static func sources(_ directory: String) -> SelftestSources? {
        (try? Files.text("\(directory)/about.json")).flatMap { try? JSON(parsing: Array($0.utf8)) }.flatMap {
            SelftestSources($0)
        }
    }

    private static func compile(
        _ flavour: SelftestFlavour, _ tree: KernelTree, types: String, source: String, output: String, tools: SelftestTools,
        jobs: Int?, progress: (BuildProgress) -> Void
    ) throws {
        let log = "\(output).log"
        Files.remove(log)
        // The probe for LLVM's libraries looks nowhere else for `llvm-config`.
        let path = "\(tools.directory):\(Environment["PATH"] ?? "/usr/bin:/bin")"
        let kernel = Make(
            source: tree.source, objects: tree.objects, log: log, jobs: jobs, variables: ["PAHOLE=\(tree.pahole)"])
        try kernel.run(["headers"], progress: progress)
        var make = Make(
            source: source, objects: tree.objects, log: log, jobs: jobs,
            variables: tools.variables + [
                "KBUILD_OUTPUT=\(tree.objects)", "OUTPUT=\(output)", "PAHOLE=\(tree.pahole)", "VMLINUX_BTF=\(types)",
            ])
        make.path = path
        try make.run(flavour.suites.map { "\(output)/\($0.rawValue)" }, progress: progress)
    }

    /// Takes from a build what is needed to run it.
    private static func collect(
        _ flavour: SelftestFlavour, from output: String, source: String, to directory: String
    ) throws(RunnerError) {
        // $4 is the flavour's directory; each has its own copy of what its programs call.
        let script = """
            cd "$1"
            find "./$4" -maxdepth 1 -type f \\( -name '*.bpf.o' -o -name '*.BTF' -o -name '*.so' -o -name '*.sh' \\
                -o -name 'btf_dump_test_case_*.c' -o -perm -u+x ! -name '*.ko' ! -name 'test_*' \\) -print0 |
                tar -c --null -T - | tar -x -C "$2"
            mkdir -p "$2/tools/sbin"
            for copy in tools/sbin "$4" .; do cp -L -- tools/sbin/bpftool "$2/$copy/"; done
            # The tests of a flavour call the veristat of the directory above.
            cp -L -- veristat "$3"/veristat.cfg "$3"/*.sh "$2"
            shift 4
            cp -L -- "$@" "$OLDPWD"
            """
        _ = try Tool.output(
            ["bash", "-euo", "pipefail", "-c", script, "bash", output, directory, source, flavour.rawValue]
                + flavour.suites.map(\.rawValue), directory: directory)
    }
}

extension SelftestSources {
    var json: JSON {
        [
            "tests": .array(tests.map(JSON.string)),
            "subjects": .object(
                subjects.sorted { $0.key < $1.key }.map { name, subject in
                    .init(
                        name,
                        [
                            "kind": subject.kind == .verifier ? "verifier" : "progs",
                            "names": .array(subject.names.map(JSON.string)),
                        ])
                }),
        ]
    }

    /// Reads what `json` wrote; nil for anything else.
    init?(_ json: JSON) {
        guard let tests = json["tests"]?.arrayValue, let subjects = json["subjects"]?.objectValue else { return nil }
        self.init(tests: tests.compactMap(\.stringValue), subjects: [:])
        for member in subjects {
            guard let kind = member.value["kind"]?.stringValue, let names = member.value["names"]?.arrayValue else {
                return nil
            }
            self.subjects[member.name] = Subject(
                kind: kind == "verifier" ? .verifier : .progs, names: names.compactMap(\.stringValue))
        }
    }
}
