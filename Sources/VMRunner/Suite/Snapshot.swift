// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// A machine right after its agent's hello, saved, so that every test case starts from the same pristine kernel
/// without a boot.
struct Snapshot: Sendable {
    /// QEMU's migration stream.
    var statePath: String
    var kernelRelease: String

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
            if let release = try? Files.text("\(path)/release") {
                utimes(path, nil)
                return Snapshot(statePath: "\(path)/state", kernelRelease: release)
            }
            let release = try take(configuration, to: path, rules: rules, note: note)
            cache.prune("snapshots", keeping: kept)
            return Snapshot(statePath: "\(path)/state", kernelRelease: release)
        }
    }

    /// Boots the machine and writes its snapshot to the directory `path`, whole or not at all.
    /// - Returns: the kernel's release.
    private static func take(
        _ configuration: MachineConfiguration, to path: String, rules: SplatRules, note: (String) -> Void
    ) throws -> String {
        let work = try Files.makeTemporaryDirectory()
        defer { Files.remove(work) }
        let unfinished = "\(path).\(getpid()).new"
        try Files.makeDirectory(unfinished)
        defer { Files.remove(unfinished) }
        let session = try Session.boot(configuration, directory: work, rules: rules, note: note)
        if let failure = session.bootFailure() { throw failure }
        try session.save(to: "\(unfinished)/state")
        let release = session.evidence.kernelRelease ?? ""
        try Files.write(release.utf8, to: "\(unfinished)/release")
        Files.remove(path)
        try Files.rename(unfinished, to: path)
        return release
    }
}
