// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// SHA-256 by coreutils, which uses the processor's instructions for it.
enum Digest {
    /// The digest of a text, as 64 hexadecimal digits.
    static func of(_ text: String) throws(RunnerError) -> String {
        try parse(try Tool.output(["sha256sum"], input: Array(text.utf8)))
    }

    /// The digest of a file's content. A digest is remembered in the cache for as long as the file's identity,
    /// size and time of change stay the same.
    static func ofFile(_ path: String, cache: Cache) throws(RunnerError) -> String {
        let signature = try Files.signature(try Files.resolve(path))
        let directory = try cache.directory("digests")
        let entry = "\(directory)/\(try of(signature))"
        if let digest = try? Files.text(entry), digest.utf8.count == 64 { return digest }
        let digest = try parse(try Tool.output(["sha256sum", "--", path]))
        try Files.write(digest.utf8, to: entry)
        return digest
    }

    private static func parse(_ output: String) throws(RunnerError) -> String {
        let digest = String(output.drop { $0 == "\\" }.prefix { $0 != " " })
        guard digest.utf8.count == 64 else { throw RunnerError("sha256sum said '\(output)'") }
        return digest
    }
}
