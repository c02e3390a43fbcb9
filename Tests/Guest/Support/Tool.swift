// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinkCommands
import Glibc

/// The command itself, within this process: another program would take long to start on an emulated processor.
enum Tool {
    /// Runs `bpflink` with these words, which has to succeed: it ends the process otherwise.
    ///
    /// - Parameter stream: 1 for stdout, 2 for stderr.
    /// - Returns: what it wrote there.
    static func run(_ words: [String], stream: CInt = 1) throws -> String {
        let scratch = "/tmp/guest_tests_output"
        mkdir("/tmp", 0o700)
        defer { unlink(scratch) }
        let own = try OwnedDescriptor(dup(stream), "FD \(stream)")
        do {
            let file = try OwnedDescriptor(open(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0o600), scratch)
            fflush(nil)
            dup2(file.number, stream)
        }
        BPFLinkTool.start(words)
        fflush(nil)
        dup2(own.number, stream)
        return try readFile(scratch)
    }

    static func run(_ words: String...) throws -> String { try run(words) }
}
