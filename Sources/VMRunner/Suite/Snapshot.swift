// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// A machine right after its agent's hello, saved, so that every test case starts from the same pristine kernel
/// without a boot.
struct Snapshot: Sendable {
    /// Its directory in the cache.
    var directory: String
    /// The machine's memory, and all else about it (QEMU's migration stream).
    var memoryPath: String { "\(directory)/memory" }
    var statePath: String { "\(directory)/state" }
    var kernelRelease: String
    /// The number of the agent's next record.
    var nextSequence: Int

    /// How many are kept in the cache.
    static let kept = 6

    /// Finds the snapshot of a machine, or boots it and takes one.
    /// - Throws: `Failure` if the kernel does not come up well, `RunnerError`.
    static func make(
        _ configuration: MachineConfiguration, kernelDigest: String, initramfsDigest: String, rules: SplatRules,
        cache: Cache, note: (String) -> Void
    ) throws -> Snapshot {
        // The state fits only the QEMU and the machine that it came from.
        let version = try Tool.output(["qemu-system-x86_64", "--version"])
        var anonymous = configuration
        (anonymous.kernel, anonymous.initramfs) = (kernelDigest, initramfsDigest)
        let key = try Digest.of(version + anonymous.arguments(console: "console").joined(separator: "\n"))
        let directory = try cache.directory("snapshots")
        let path = "\(directory)/\(key)"
        return try holdingLock("\(path).lock") {
            if let snapshot = Snapshot(directory: path) {
                snapshot.noteUse()
                return snapshot
            }
            try take(configuration, to: path, rules: rules, note: note)
            cache.prune("snapshots", keeping: kept)
            guard let snapshot = Snapshot(directory: path) else { throw RunnerError("cannot read \(path)") }
            return snapshot
        }
    }

    /// Before it is used: who keeps the cache small (`Cache.prune`) removes what has not been used for long, and a suite can
    /// take longer than others make new ones.
    func noteUse() { utimes(directory, nil) }

    /// Reads what `take` wrote; nil if it is not there.
    private init?(directory: String) {
        guard let text = try? Files.text("\(directory)/about.json"), let json = try? JSON(parsing: Array(text.utf8)),
            let release = json["kernel"]?.stringValue, let sequence = json["nextSequence"]?.integerValue
        else { return nil }
        (self.directory, kernelRelease, nextSequence) = (directory, release, sequence)
    }

    /// Boots the machine and writes its snapshot to the directory `path`, whole or not at all.
    private static func take(
        _ configuration: MachineConfiguration, to path: String, rules: SplatRules, note: (String) -> Void
    ) throws {
        let work = try Files.makeTemporaryDirectory()
        defer { Files.remove(work) }
        let unfinished = "\(path).\(getpid()).new"
        try Files.makeDirectory(unfinished)
        defer { Files.remove(unfinished) }
        var configuration = configuration
        configuration.memory = .file("\(unfinished)/memory")
        let session = try Session.boot(configuration, directory: work, rules: rules, note: note)
        // The first job is slow: the agent's code has not run before. So it runs once before it is saved.
        session.run(
            Job(id: "rehearsal", arguments: ["/init"]), timeout: .seconds(30) * configuration.needs.slowness,
            streams: .init(output: { _, _ in }))
        if let failure = session.failureSoFar() { throw failure }
        try session.save(to: "\(unfinished)/state")
        let about: JSON = [
            "kernel": .string(session.evidence.kernelRelease ?? ""),
            "nextSequence": .integer(session.evidence.nextSequence),
        ]
        try Files.write(about.description.utf8, to: "\(unfinished)/about.json")
        Files.remove(path)
        try Files.rename(unfinished, to: path)
    }
}
