// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFKernel
import BPFLinker
import BPFObject

/// `bpflink load`
public struct LoadCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Link an object to loaded programs, load it, and pin, attach or pass on what was loaded.",
        discussion: """
            REF is a file descriptor that bpflink inherits (7), or id=N, pinned=PATH, name=NAME or tag=TAG.
            An object without an entry program is a library: its global functions are exported.

            Global functions that two or more programs of the object call are loaded once, and the programs import them, if the             kernel can do that. What it cannot share is copied into each program, as libbpf alone would do; --no-share loads             everything like that.

            Without --pin, --attach or --exec nothing keeps the programs loaded. With --attach and without --pin, bpflink stays \
            in the foreground until SIGINT or SIGTERM. With --exec it runs COMMAND, which inherits the programs' descriptors \
            (BPFLINK_FD_<program>, or BPFLINK_FD if there is one, tells the number), and exits with its status.
            """)

    @Argument(help: ArgumentHelp("The object file.", valueName: "object"))
    var object: String

    @Option(name: [.customLong("import")], help: ArgumentHelp("Take a function from a loaded program.", valueName: "ref:name"))
    var imports: [ImportArgument] = []

    @Option(
        help: ArgumentHelp(
            "How imports are bound: call the provider's function (kernel), have a copy of it (copy), or as the kernel can (auto).",
            valueName: "kernel|copy|auto"))
    var mode = LinkMode.auto

    @Flag(
        inversion: .prefixedNo,
        help: "A provider carries its object in the kernel's memory, so that its functions can be copied as well.")
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
        help: "Share functions among the object's programs. It is the default; asked for, it says so where nothing can be shared.")
    var share: Bool?

    @Option(
        help: ArgumentHelp(
            "Pin the program at PATH, several programs in the directory PATH; attachments beside them, as PROGRAM_link.",
            valueName: "path"))
    var pin: String?

    @Option(
        help: ArgumentHelp(
            "Attach where section names say; or to cgroup=PATH, xdp=INTERFACE, ingress=INTERFACE, egress=INTERFACE, netns=PATH, perf_event=EVENT[@HZ].",
            valueName: "target"))
    var attach: [AttachTarget] = []

    @Flag(name: [.customShort("n"), .customLong("nomount")], help: "Do not mount the BPF file system if it is not there.")
    var noMount = false

    @Flag(name: [.customLong("dry-run")], help: "Print the plan; load nothing.")
    var dryRun = false

    @Flag(help: "Run COMMAND, which inherits the loaded programs.")
    var exec = false

    @OptionGroup var common: CommonOptions

    @Argument(parsing: .postTerminator, help: ArgumentHelp("What --exec runs.", valueName: "command"))
    var command: [String] = []

    public init() {}

    public func validate() throws {
        if exec == command.isEmpty {
            throw ValidationError("`--exec` and a command after `--` belong together.")
        }
        if exec && dryRun { throw ValidationError("`--dry-run` loads nothing that `--exec` could pass on.") }
        if let type, SectionType(section: type) == nil {
            throw ValidationError("'\(type)' is no program type; section names tell them: kprobe, xdp, cgroup_skb/ingress, …")
        }
    }

    public func run() throws {
        var loaded: LoadedObject?
        var inherited: [Foreground.Inherited] = []
        try common.report {
            let object = try ObjectFile.read(self.object)
            let (plan, providers, opened) = try link(object)
            defer { withExtendedLifetime(opened) {} }
            if dryRun { return planReport(plan) }

            let result = try Loader.load(plan, providers: providers, options: options)
            if exec { inherited = try Foreground.inherit(result.programs) }
            loaded = result
            return loadedReport(result, inherited)
        }
        if exec {
            let status = try common.failing { try Foreground.run(command, telling: inherited) }
            throw ExitCode(status)
        }
        if let loaded, !attach.isEmpty, pin == nil {
            Foreground.waitForSignal()
            withExtendedLifetime(loaded) {}
        }
    }

    private var options: LoadOptions {
        var options = LoadOptions()
        options.type = type.flatMap(SectionType.init(section:))
        options.exports = export
        options.carriesObject = carry
        options.pin = pin
        options.attach = attach
        options.mounts = !noMount
        options.debug = common.debug
        return options
    }

    private static func names(_ lists: [String]) -> [String] {
        lists.flatMap { $0.split(separator: ",").map(String.init) }
    }

    /// Opens the providers and links the object to them; asks for capabilities before the first of them is opened.
    private func link(_ object: Object) throws -> (LinkPlan, providers: [OpenProgram], opened: [OpenProgram]) {
        var actions = imports.flatMap(\.provider.actions)
        if !imports.isEmpty { actions.append(.lookUp) }
        if !dryRun {
            let programs = object.entryPrograms.filter {
                (only.isEmpty || Self.names(only).contains($0.name)) && !Self.names(except).contains($0.name)
            }
            actions += Loader.actions(for: programs, options: options)
        }
        try Capabilities.ofThisProcess().check(actions)

        if mode == .kernel, !imports.isEmpty { try Features.requireFunctionCalls() }

        // Two selectors may name one program; each is opened once.
        var snapshots: [ProgramSelector: ProviderSnapshot] = [:]
        var programs: [UInt32: OpenProgram] = [:]
        var requests: [ImportRequest] = []
        for argument in imports {
            if snapshots[argument.provider] == nil {
                let program = try OpenProgram.open(argument.provider)
                snapshots[argument.provider] = try program.providerSnapshot(namedAs: argument.provider)
                programs[program.info.id] = program
            }
            if let snapshot = snapshots[argument.provider] {
                requests.append(ImportRequest(name: argument.function, provider: snapshot))
            }
        }
        var linking = LinkOptions()
        if let type { linking.entrySection = type }
        linking.mode = mode
        linking.kernelHasCalls = dryRun || mode != .auto || Features.functionCalls() != .absent
        linking.shares = share ?? true
        linking.only = Self.names(only)
        linking.except = Self.names(except)
        do {
            let plan = try BPFLinker.link(object, imports: requests, options: linking)
            return (plan, plan.providers.compactMap { programs[$0.id] }, Array(programs.values))
        } catch {
            throw Diagnostics(error.errors.map { Diagnostic($0, in: object.name) })
        }
    }
}
