// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A function's name, parameters and result, as BTF tells them.
///
/// Two prototypes can come from different compilations, so types are compared by what they are, never by their ids.
public struct Prototype: Sendable {
    /// The BTF that holds the function.
    public let btf: BTF
    /// The `BTF_KIND_FUNC`.
    public let typeID: TypeID
    /// The function's name.
    public let name: String
    /// The type of the result.
    public let result: TypeID
    public let parameters: [BTFType.Parameter]

    /// Reads the prototype of a function.
    ///
    /// - Parameters:
    ///   - function: the id of a `BTF_KIND_FUNC`.
    ///   - btf: the BTF it belongs to.
    /// - Returns: nil if there is no such function, or it has no `BTF_KIND_FUNC_PROTO`.
    public init?(of function: TypeID, in btf: BTF) {
        guard let type = btf[function], case .function(let prototype, _) = type.content,
            case .prototype(let result, let parameters)? = btf[prototype]?.content
        else { return nil }
        self.btf = btf
        self.typeID = function
        self.name = type.name
        self.result = result
        self.parameters = parameters
    }
}

extension Prototype: CustomStringConvertible {
    /// The declaration in C, e.g. `int lib_add(int a, const struct point *p)`.
    public var description: String { CDeclaration.text(of: self) }
}
