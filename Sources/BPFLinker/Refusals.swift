// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What the kernel refused when it was tried: functions that programs of an object could have shared, imports from other
/// providers, and exports. What was to be verified once is verified with each importer instead, where the kernel can do that; what
/// was refused so as well is copied.
public struct Refusals: Sendable, Equatable {
    /// By function of the object that is valid in no provider, in the kernel's words.
    public var functions: [String: [String]] = [:]
    /// By program that can import nothing, in the kernel's words.
    public var programs: [String: [String]] = [:]
    /// By type of a provider, in the words of section names, then by function that was not valid in it, in the kernel's words.
    public var providers: [String: [String: [String]]] = [:]
    /// By program, then by function that it cannot import, be it one of the object or one of another provider, in the kernel's
    /// words.
    public var imports: [String: [String: [String]]] = [:]
    /// The same of imports that were to be verified with the program.
    public var bodyImports: [String: [String: [String]]] = [:]
    /// By function of a library that is not valid as an export, in the kernel's words.
    public var exports: [String: [String]] = [:]
    /// By function of the object that the kernel does not keep either, in its words.
    public var bodies: [String: [String]] = [:]
    /// By program that can export nothing, in the kernel's words.
    public var exporters: [String: [String]] = [:]
    /// Whether a program was refused with copies that are global functions.
    public var copiesAsGlobals = false

    public init() {}
}
