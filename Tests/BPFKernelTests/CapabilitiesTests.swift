// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Testing

@testable import BPFKernel

@Suite struct CapabilitiesTests {
    private func action(_ type: bpf_prog_type) -> PrivilegedAction {
        .load(ProgramType(rawValue: type.rawValue))
    }

    @Test func everyLoadNeedsBPF() {
        for type in [BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SYSCALL] {
            #expect(action(type).needs.contains(.bpf))
        }
    }

    @Test func tracingNeedsPerfmonAndNetworkingNetAdmin() {
        #expect(action(BPF_PROG_TYPE_KPROBE).needs == [.bpf, .perfmon])
        #expect(action(BPF_PROG_TYPE_LSM).needs == [.bpf, .perfmon])
        #expect(action(BPF_PROG_TYPE_SCHED_CLS).needs == [.bpf, .netAdmin])
        #expect(action(BPF_PROG_TYPE_EXT).needs == [.bpf, .perfmon, .netAdmin])
        #expect(action(BPF_PROG_TYPE_CGROUP_SKB).needs == [.bpf])
    }

    @Test func theMessageNamesWhatIsNeededAndWhatIsThere() throws {
        let error = try kernelError { try Capabilities(effective: [.bpf]).check([action(BPF_PROG_TYPE_KPROBE)]) }
        #expect(error.code == .capability)
        #expect(error.message == "loading a kprobe program needs CAP_BPF and CAP_PERFMON; have CAP_BPF")
    }

    @Test func typesAreNamedAsTheyAreSpoken() {
        let types = [BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_SK_MSG, BPF_PROG_TYPE_SCHED_CLS]
        let spoken = types.map { ProgramType(rawValue: $0.rawValue).withArticle }
        #expect(spoken == ["an xdp", "an lsm", "an sk_msg", "a sched_cls"])
    }

    @Test func severalActionsAreToldTogether() throws {
        let error = try kernelError {
            try Capabilities(effective: []).check([action(BPF_PROG_TYPE_KPROBE), .lookUp, action(BPF_PROG_TYPE_KPROBE)])
        }
        #expect(error.message == "this needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; have none")
        #expect(error.notes.count == 2)
    }

    @Test func sysAdminStandsForTheOthersButNotTheyForIt() throws {
        try Capabilities(effective: [.sysAdmin]).check([action(BPF_PROG_TYPE_EXT), .lookUp, .mount])
        #expect(Capabilities(effective: [.bpf, .perfmon, .netAdmin]).missing(for: .lookUp) == [.sysAdmin])
    }

    @Test(.enabled(if: isRoot)) func rootHasThem() throws {
        #expect(try Capabilities.ofThisProcess().effective.contains(.bpf))
    }
}
