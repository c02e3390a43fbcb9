// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import Glibc
import TestFixtures
import Testing

/// The rules that hold the tree together, read from its sources.
@Suite struct ArchitectureTests {
    /// What each module's sources may import. A file of its own may be allowed more.
    private static let imports: [String: (module: Set<String>, files: [String: Set<String>])] = [
        "BPFObject": ([], ["ELFReader.swift": ["CLibelf"]]),
        "BPFLinker": (["BPFObject"], [:]),
        "BPFKernel": (
            ["BPFLinker", "BPFObject", "CBPFLinkUAPI", "CLibbpf", "CLibcap", "Glibc", "Synchronization", "SystemPackage"], [:]
        ),
        "BPFLink": (["BPFKernel", "BPFLinker", "BPFObject", "SystemPackage"], [:]),
        "BPFLinkCommands": (["ArgumentParser", "BPFLink", "SystemPackage"], [:]),
        "bpflink": (["BPFLinkCommands"], [:]),
    ]

    @Test(arguments: imports.keys.sorted())
    func aModuleImportsWhatItMay(module: String) throws {
        let rule = try #require(Self.imports[module])
        let files = Tree.files(in: "Sources/\(module)").filter { $0.hasSuffix(".swift") }
        #expect(!files.isEmpty)
        for file in files {
            let name = file.split(separator: "/").last.map(String.init) ?? file
            let allowed = rule.module.union(rule.files[name] ?? [])
            for imported in try Tree.imports(of: file) where !allowed.contains(imported) {
                Issue.record("\(file) imports \(imported)")
            }
        }
    }

    /// Foundation costs more time to load than bpflink takes.
    @Test func nothingOfBpflinkUsesFoundation() throws {
        for module in Self.imports.keys {
            for file in Tree.files(in: "Sources/\(module)") {
                let imported = try Tree.imports(of: file).filter { $0.hasPrefix("Foundation") }
                #expect(imported.isEmpty, "\(file)")
            }
        }
    }

    @Test func theVMRunnerKnowsNothingOfBPF() throws {
        for module in ["VMRunner", "VMProtocol", "bpflink-vm", "bpflink-vm-guest"] {
            for file in Tree.files(in: "Sources/\(module)") where file.hasSuffix(".swift") {
                let imported = try Tree.imports(of: file).filter { $0.contains("BPF") || $0 == "CLibbpf" }
                #expect(imported.isEmpty, "\(file)")
            }
        }
    }

    @Test func everyFileStatesItsLicense() throws {
        let files = ["Sources", "Tests", "Scripts", "VMImages", "Examples", ".ci"].flatMap(Tree.files)
        #expect(files.count > 50)
        for file in files where !file.hasSuffix(".o") && !Tree.isData(file) {
            let head = try Tree.text(of: file).split(separator: "\n").prefix(3).joined(separator: "\n")
            #expect(head.contains("SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause"), "\(file)")
        }
    }
}

/// The source tree, by paths relative to its top.
private enum Tree {
    static func files(in directory: String) -> [String] {
        TestFile.names(in: Fixture.root + "/" + directory).flatMap { name in
            let path = directory + "/" + name
            return isDirectory(path) ? files(in: path) : [path]
        }
    }

    static func text(of file: String) throws -> String {
        String(decoding: try TestFile.read(Fixture.root + "/" + file), as: UTF8.self)
    }

    /// The modules that a source file imports.
    static func imports(of file: String) throws -> [String] {
        try text(of: file).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").filter { !["public", "internal", "package", "@testable", "@_exported"].contains($0) }
            guard words.first == "import", words.count >= 2 else { return nil }
            return String(words[words.count == 2 ? 1 : 2].split(separator: ".")[0])
        }
    }

    /// Texts that tests compare with, and other data, have no room for a comment.
    static func isData(_ file: String) -> Bool {
        [".txt", ".expected", ".log", ".json"].contains { file.hasSuffix($0) }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(Fixture.root + "/" + path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
