// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// Decides every import of one object.
struct Resolver {
    let object: Object
    let requests: [ImportRequest]
    let libraries: [ProviderSnapshot]
    let options: LinkOptions

    func plan() throws(LinkErrors) -> LinkPlan {
        fatalError()
    }
}
