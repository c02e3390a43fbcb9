// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink load`
public struct LoadCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "load", _superCommandName: "bpflink",
        abstract: "Link objects to each other and to loaded programs, load them, and pin, attach or pass on what was loaded.",
        usage: "bpflink load [<options>] <object> ... [--exec -- <command> ...]",
        discussion: """
            REF is a file descriptor that bpflink inherits (7), or id=N, pinned=PATH, name=NAME or tag=TAG; of --import also \
            object=PATH, one of the objects. An object without an entry program is a library: its global functions are exported.

            Several objects are loaded in the order of their imports, all of them or none; no file is given twice. An import is \
            taken from what --import says; else from the one that offers it among the objects and what --library names, in which \
            the same name twice is an error (programs that were loaded from one object are one provider); else from the first \
            directory of --library-path that has it, and at last from \(LibraryPath.standard.directory).

            An export is verified once, a function that its author marked (__bpf_chain) with each program that imports it. So is, in \
            mode auto, what the kernel refuses as an export, or to a program; what it refuses then as well is copied.

            Global functions that two or more programs of the object call are loaded once, and the programs import them, if the \
            kernel can do that. What it cannot share is copied into each program, as libbpf alone would do; --no-share loads \
            everything like that.

            Without --pin, --attach or --exec nothing keeps the programs loaded. With --attach and without --pin, bpflink stays \
            in the foreground until SIGINT or SIGTERM. With --exec it runs COMMAND, which inherits the programs' descriptors \
            (BPFLINK_FD_<program>, or BPFLINK_FD if there is one, tells the number), waits for it, and exits with its status, or \
            128 + the signal that ended it; SIGTERM and SIGHUP are passed on to it, SIGINT and SIGQUIT left to it.
            """)

    @Argument(help: ArgumentHelp("The object files.", valueName: "object"), completion: .file())
    var objects: [String]

    @Option(
        name: [.customLong("import")],
        help: ArgumentHelp(
            "Take a function from a loaded program, or from one of the objects: 7:f, pinned=PATH:f, object=PATH:f.",
            valueName: "ref:name"), transform: ImportArgument.read)
    var imports: [ImportArgument] = []

    @Option(
        help: ArgumentHelp("Take any function that a loaded program exports.", valueName: "ref"), transform: ProgramSelector.read)
    var library: [ProgramSelector] = []

    @Option(
        help: ArgumentHelp("A directory of pinned libraries, searched for what is not found otherwise.", valueName: "dir"),
        completion: .directory)
    var libraryPath: [String] = []

    @Option(
        help: ArgumentHelp(
            "How imports are bound: call the provider's function (kernel), have a copy of it (copy), or as the kernel can (auto).",
            valueName: "kernel|copy|auto"))
    var mode = LinkMode.auto

    @Option(
        help: ArgumentHelp(
            "When imported functions are verified: once, against their contracts, or with each program, with the arguments that it passes (chain). Without it, as the provider offers them; what the kernel refuses to a program once, it may take in the chain.",
            valueName: "once|chain"))
    var verify: Verification?

    @Flag(
        inversion: .prefixedNo,
        help: """
            Whether a provider carries its object in the kernel's memory, so that its functions can be copied as well. With --mode copy \
            it does in any case.
            """)
    var carry = true

    @Option(help: ArgumentHelp("The programs' type, in the words of section names: kprobe, xdp, cgroup_skb/ingress, …"))
    var type: String?

    @Flag(help: "Export the global functions of an object that has entry programs.")
    var export = false

    @Option(help: ArgumentHelp("Load only these of the object's programs: a name, or names with commas.", valueName: "name"))
    var only: [String] = []

    @Option(help: ArgumentHelp("Load all programs but these: a name, or names with commas.", valueName: "name"))
    var except: [String] = []

    @Flag(
        inversion: .prefixedNo,
        help: "Whether the object's programs share functions. They do; asked for, it says so where nothing can be shared.")
    var share: Bool?

    @Flag(help: "Share the native code of subprograms with other programs that are loaded like this, where it is the same.")
    var shareImages = false

    @Option(
        help: ArgumentHelp(
            "Pin the program at PATH, several programs in the directory PATH; attachments beside them, as PROGRAM_link.",
            valueName: "path"), completion: .file())
    var pin: String?

    @Option(
        help: ArgumentHelp(
            "Attach where section names say; or to cgroup=PATH, xdp=INTERFACE, ingress=INTERFACE, egress=INTERFACE, netns=PATH, perf_event=EVENT[@HZ], replace=REF.",
            valueName: "target"), transform: AttachTarget.read)
    var attach: [AttachTarget] = []

    @Flag(name: [.customShort("n"), .customLong("nomount")], help: "Do not mount the BPF file system if it is not there.")
    var noMount = false

    @Flag(name: [.customLong("dry-run")], help: "Print the plan; load nothing.")
    var dryRun = false

    @Flag(help: "Run COMMAND, the words behind `--`, which inherits the loaded programs.")
    var exec = false

    @OptionGroup var common: CommonOptions

    /// What `--exec` runs, as ``separatingCommand(in:)`` passes it on: the argument parser takes one list without names only.
    @Option(name: .customLong(Self.commandOption), help: .hidden)
    var command: [String] = []

    public init() {}

    private static let commandOption = "exec-word"

    /// Makes each word behind `--` an option of its own, if `--exec` stands before it; else they are objects whose names may begin
    /// with a dash, as everywhere.
    static func separatingCommand(in arguments: [String]) -> [String] {
        guard arguments.first == "load", let end = arguments.firstIndex(of: "--"), arguments[..<end].contains("--exec") else {
            return arguments
        }
        return arguments[..<end] + arguments[(end + 1)...].map { "--\(commandOption)=\($0)" }
    }

    public func validate() throws {
        if exec == command.isEmpty {
            throw ValidationError("`--exec` and a command after `--` belong together.")
        }
        if exec && dryRun { throw ValidationError("`--dry-run` loads nothing that `--exec` could pass on.") }
        if verify != nil, mode == .copy {
            throw ValidationError("`--mode copy` calls nothing that `--verify` could be about.")
        }
        if !carry, mode == .copy {
            throw ValidationError("`--mode copy` copies from the object that a provider carries, which `--no-carry` leaves out.")
        }
        for (option, lists) in [("--only", only), ("--except", except)] where lists.contains(where: { Self.names([$0]).isEmpty }) {
            throw ValidationError("`\(option)` names no program.")
        }
        if let type, SectionType(section: type) == nil {
            throw ValidationError("'\(type)' is no program type; section names tell them: kprobe, xdp, cgroup_skb/ingress, …")
        }
    }

    public func run() throws {
        var loaded: [LoadedObject] = []
        var inherited: [Foreground.Inherited] = []
        try common.report {
            let plan = try link(try objects.map(ObjectFile.read))
            if dryRun {
                try plan.check()
                return planReport(plan)
            }
            loaded = try plan.load()
            if exec { inherited = try Foreground.inherit(loaded.flatMap(\.programs)) }
            return loadedReport(loaded, inherited)
        }
        defer { withExtendedLifetime(loaded) {} }
        if exec {
            let status = try common.failing { try Foreground.run(command, telling: inherited) }
            throw ExitCode(status)
        }
        if !loaded.isEmpty, !attach.isEmpty, pin == nil {
            common.warn(Self.noteThatItWaits)
            Foreground.waitForSignal()
        }
    }

    private static let noteThatItWaits = Diagnostic(
        .note, code: "waiting", "attached until SIGINT (Ctrl-C) or SIGTERM comes",
        help: ["`--pin PATH` keeps it attached without bpflink"])

    var options: LoadOptions {
        var options = LoadOptions()
        options.type = type.flatMap(SectionType.init(section:))
        options.exports = export
        options.carriesObject = carry
        options.sharesImages = shareImages
        options.pin = pin
        options.attach = attach
        options.mounts = !noMount
        options.debug = common.debug
        return options
    }

    static func names(_ lists: [String]) -> [String] {
        // No name has a space, and a list may have them behind its commas.
        lists.flatMap { $0.split { $0 == "," || $0.isWhitespace }.map(String.init) }
    }
}
