// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// How a function is offered, when it is verified, and which code is called, in the words of all commands.

extension Prototype {
    /// `exports int next(int value)`
    ///
    /// - Parameter verification: when the function is verified; nil if it can be copied only.
    func offered(_ verification: Verification?) -> String {
        let offer =
            switch verification {
            case .once: "exports"
            case .chain: "offers the body of"
            case nil: "offers copies of"
            }
        return "\(offer) \(self)"
    }

    /// How an import is bound to the function: ``int next(int value)``, or that it is its body.
    func called(_ verification: Verification) -> String { (verification == .chain ? "the body of " : "") + "`\(self)`" }
}

extension ProviderExport {
    var offerWords: String { prototype.offered(verification) }
}

extension Verification {
    /// What a function costs that is verified with its importers.
    static let chainCost = "each program that calls it verifies it anew, as it would a copy; native code is shared where it is the same"
}

extension ProgramInfo.Image {
    /// `at 0xffffffffc0001234 (120 bytes, 2 programs)`
    var words: String {
        let place = address.map { "at 0x" + String($0, radix: 16) } ?? "at an address that this user may not see"
        return "\(place) (\(length) bytes" + (programs.map { ", \($0) program\($0 == 1 ? "" : "s")" } ?? "") + ")"
    }

    var json: JSONValue {
        .object([
            "address": address.map { .string("0x" + String($0, radix: 16)) }, "bytes": .integer(length),
            "programs": programs.map { .integer($0) },
        ])
    }
}
