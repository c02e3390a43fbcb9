// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Why bytes are not an object that can be linked: what, where, and what a library underneath said.
public struct ObjectError: Error, Hashable, Sendable {
    /// The kind of fault, stable for programs (it appears in JSON).
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The bytes do not begin as an ELF file does.
        public static let notELF = Code(rawValue: "not-elf")
        /// An ELF file for another machine, byte order, class or purpose.
        public static let wrongMachine = Code(rawValue: "wrong-machine")
        /// A header, table or section reaches beyond the end of the file.
        public static let truncated = Code(rawValue: "truncated")
        /// Headers, tables or records contradict each other or the format.
        public static let malformed = Code(rawValue: "malformed")
        /// No type information where it is needed.
        public static let noBTF = Code(rawValue: "no-btf")
        /// A used function without a prototype in the object's type information.
        public static let noPrototype = Code(rawValue: "no-prototype")
        /// A well-formed object that uses something which cannot be linked.
        public static let unsupported = Code(rawValue: "unsupported")
    }

    public let code: Code
    /// What is wrong: lower case, no full stop, names in backticks.
    public let message: String
    /// Where in the file, if the fault has one place.
    public let offset: FileOffset?
    /// The places in the code that are concerned, if any.
    public let sites: [ImportSite]
    /// What the library underneath (libelf) said.
    public let cause: String?
    /// How to put it right, if that is known.
    public let help: String?

    public init(
        _ code: Code, _ message: String, at offset: FileOffset? = nil, sites: [ImportSite] = [], cause: String? = nil,
        help: String? = nil
    ) {
        self.code = code
        self.message = message
        self.offset = offset
        self.sites = sites
        self.cause = cause
        self.help = help
    }
}

extension ObjectError: CustomStringConvertible {
    public var description: String {
        var text = message
        // What is cut off says in words how far the file goes; where that is stated is of no help beside it.
        if let offset, code != .truncated { text += " (at \(offset))" }
        if let cause { text += ": \(cause)" }
        return text
    }
}
