// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A wish to take one import from one provider: `--import REF:NAME`.
public struct ImportRequest: Sendable {
    /// The function.
    public let name: String
    /// The provider that `REF` stands for.
    public let provider: ProviderSnapshot

    public init(name: String, provider: ProviderSnapshot) {
        self.name = name
        self.provider = provider
    }

    /// As the user wrote it.
    public var text: String { "\(provider.reference):\(name)" }
}
