// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import VMRunner

struct Kernel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Build kernels and find them.",
        discussion: """
            A kernel is known by what it was built from: base, patches, requested configuration, tools. What was built \
            once is not built again, and a build after a small change compiles only what changed.
            """,
        subcommands: [Build.self, Exec.self, List.self, Path.self])
}

/// Which kernel.
struct KernelChoice: ParsableArguments {
    @Flag(help: "The kernel as released.")
    var stock = false

    @Flag(help: "The kernel with the whole series applied (the default).")
    var patched = false

    @Option(help: ArgumentHelp("The kernel with the first patches of the series applied.", valueName: "n"))
    var patches: Int?

    @Option(
        help: ArgumentHelp(
            """
            Its configuration: plain (the default); debug, with the kernel's checkers; selftests, as its BPF selftests ask; \
            selftests+debug, both.
            """,
            valueName: "name"),
        transform: { word in
            guard let configuration = KernelConfiguration(rawValue: word) else {
                let known = KernelConfiguration.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("there is no configuration '\(word)'; known: \(known)")
            }
            return configuration
        })
    var config = KernelConfiguration.plain

    @Option(help: "A tarball or source tree of the kernel, in place of what Scripts/kernel-base gives.")
    var base: String?

    var variant: KernelVariant {
        KernelVariant(stock ? .none : patches.map { .first($0) } ?? .all, configuration: config)
    }

    func validate() throws {
        guard [stock, patched, patches != nil].filter({ $0 }).count < 2 else {
            throw ValidationError("Choose one of --stock, --patched and --patches")
        }
        guard patches ?? 1 > 0 else { throw ValidationError("--patches takes a positive number") }
    }
}

/// What every command that builds takes.
struct KernelBuildOptions: ParsableArguments {
    @OptionGroup var choice: KernelChoice

    @Option(help: "Compilers at a time (default: one per core).")
    var jobs: Int?

    @Flag(help: "Also keep the image with its debug information.")
    var debugInfo = false

    var build: KernelBuild {
        var build = KernelBuild(variant: choice.variant)
        build.base = choice.base
        build.jobs = jobs
        build.keepsDebugInformation = debugInfo
        return build
    }
}

extension Kernel {
    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Build a kernel and print its image's path.")

        @OptionGroup var options: KernelBuildOptions

        func run() throws {
            try finish {
                let line = ProgressLine()
                let kernel = try options.build.run(
                    installation: try Installation(), cache: try Cache(), note: line.note, progress: line.show)
                line.clear()
                say(kernel.image)
                return 0
            }
        }
    }

    struct Exec: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a command with the directories that a kernel was built in.",
            discussion: """
                For more to be made there: modules, headers, the kernel's own tests. The kernel is built first, if need \
                be, and nobody else builds in these directories until the command ends. The command finds them in \
                BPFLINK_KERNEL_SOURCE (the tree, with the patches) and BPFLINK_KERNEL_OBJECTS (make O=), the image in \
                BPFLINK_KERNEL_IMAGE, and what make is to call for BTF in BPFLINK_KERNEL_PAHOLE (make PAHOLE=). Its \
                exit code is returned.
                """)

        @OptionGroup var options: KernelBuildOptions

        @Argument(parsing: .postTerminator, help: "The command and its arguments.")
        var command: [String]

        func validate() throws {
            guard !command.isEmpty else { throw ValidationError("Give the command after --") }
        }

        func run() throws {
            try finish {
                let line = ProgressLine()
                return try options.build.withTree(
                    installation: try Installation(), cache: try Cache(), note: line.note, progress: line.show
                ) { tree in
                    line.clear()
                    return try tree.run(command)
                }
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the kernels that were built, newest last.")

        func run() throws {
            try finish {
                for kernel in try KernelStore(cache: try Cache()).all() {
                    say("\(kernel.id.prefix(12))  \(kernel.variant)  \(kernel.release)  \(kernel.image)")
                }
                return 0
            }
        }
    }

    struct Path: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the image's path of the kernel that a build would give now.",
            discussion: "Exit code 1 if it is not built.")

        @OptionGroup var choice: KernelChoice

        func run() throws {
            do {
                let store = KernelStore(cache: try Cache())
                say(try store.current(choice.variant, base: choice.base, installation: try Installation()).image)
            } catch let error as RunnerError {
                note("error: \(error)")
                throw ExitCode(1)
            }
        }
    }
}
