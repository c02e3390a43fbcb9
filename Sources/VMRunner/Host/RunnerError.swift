// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The runner could not do its work (a tool is missing, a file cannot be read, a kernel does not build): never a
/// statement about the guest, whose failures are `Failure` values.
public struct RunnerError: Error, CustomStringConvertible {
    /// What is wrong, lower case, without a full stop.
    public var message: String
    /// What the user can do about it.
    public var help: String?

    public init(_ message: String, help: String? = nil) {
        self.message = message
        self.help = help
    }

    public var description: String { message + (help.map { "\nhelp: \($0)" } ?? "") }
}
