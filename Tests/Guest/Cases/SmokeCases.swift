// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What holds on every kernel from the base to the end of the series, as git-bisect(1) may stop at: what a patch gives works
/// as soon as the kernel takes it, and before that is refused as ever.
let smokeCases: [Case] =
    Ability.all.map { ability in Case("smoke.\(ability.name)") { _ = try ability.isPresent() } } + [
        Case("smoke.order_of_the_series") {
            let present = try Ability.all.map { ($0.name, try $0.isPresent()) }
            if let gap = present.firstIndex(where: { !$0.1 }) {
                let early = present[gap...].filter(\.1).map(\.0)
                try expect(early.isEmpty, "\(early.joined(separator: ", ")) before \(present[gap].0)")
            }
        }
    ]

/// And at the end of it, everything is there.
let endCases: [Case] = Ability.all.map { ability in
    Case("end.\(ability.name)") { try expect(try ability.isPresent(), "the kernel does not have it") }
}
