// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import Glibc
import VMRunner

struct Kernel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Build kernels and find them.",
        discussion: """
            A kernel is known by what it was built from: base, patches, requested configuration, tools. What was built \
            once is not built again, and a build after a small change compiles only what changed.
            """,
        subcommands: [Build.self, List.self, Path.self])
}

/// Which kernel.
struct KernelChoice: ParsableArguments {
    @Flag(help: "The kernel as released.")
    var stock = false

    @Flag(help: "The kernel with the series applied (the default).")
    var patched = false

    @Option(help: "A tarball or source tree of the kernel, in place of what Scripts/kernel-base gives.")
    var base: String?

    var variant: KernelVariant { stock ? .stock : .patched }

    func validate() throws {
        guard !(stock && patched) else { throw ValidationError("Choose one of --stock and --patched") }
    }
}

extension Kernel {
    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Build a kernel and print its image's path.")

        @OptionGroup var choice: KernelChoice

        @Option(help: "Compilers at a time (default: one per core).")
        var jobs: Int?

        @Flag(help: "Also keep the image with its debug information.")
        var debugInfo = false

        func run() throws {
            try finish {
                var build = KernelBuild(variant: choice.variant)
                build.base = choice.base
                build.jobs = jobs
                build.keepsDebugInformation = debugInfo
                let line = ProgressLine()
                let kernel = try build.run(
                    installation: try Installation(), cache: try Cache(),
                    note: { words in
                        line.clear()
                        note(words)
                    }, progress: { line.show($0) })
                line.clear()
                say(kernel.image)
                return 0
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the kernels that were built, newest last.")

        func run() throws {
            try finish {
                for kernel in try KernelStore(cache: try Cache()).all() {
                    say("\(kernel.id.prefix(12))  \(kernel.variant.rawValue)  \(kernel.release)  \(kernel.image)")
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

/// How far a build is: one line that is rewritten on a terminal, elsewhere one line in a while.
private final class ProgressLine {
    private let onTerminal = isatty(STDERR_FILENO) == 1
    private var lastShown: Duration?
    private var isShown = false

    func show(_ progress: BuildProgress) {
        let interval = onTerminal ? Duration.milliseconds(200) : .seconds(60)
        guard progress.elapsed >= (lastShown ?? .zero - interval) + interval else { return }
        lastShown = progress.elapsed
        let seconds = progress.elapsed.components.seconds
        let time = seconds < 60 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
        let words = "  \(progress.compiled) files compiled, \(time)"
        if onTerminal {
            let line = String("\(words): \(progress.current)".prefix(100))
            Glibc.write(STDERR_FILENO, "\r\u{1b}[K\(line)", line.utf8.count + 4)
            isShown = true
        } else {
            note(words)
        }
    }

    func clear() {
        if isShown { Glibc.write(STDERR_FILENO, "\r\u{1b}[K", 4) }
        isShown = false
    }
}
