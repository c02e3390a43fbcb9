// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// Functions that write to their callers' packets, or move them away.
let packetCases: [Case] = ["whole", "part"].map { program in
    // The socket has a clone of the packet with the same data: whoever writes to it needs a copy of its own first.
    Case("packets.\(program)_written_to_a_copy", unblinded: true) {
        let importer = try load("import_packets", only: [program], from: [try library("packets", entry: "tc")])
        let watcher = try PacketSocket(interface: 1)
        var options = bpf_link_create_opts()
        options.sz = MemoryLayout<bpf_link_create_opts>.size
        // BPF_TCX_INGRESS of the loopback interface.
        let link = try OwnedDescriptor(
            bpf_link_create(try importer.program(program).descriptor, 1, bpf_attach_type(46), &options), "tcx link")
        let arrived = try withExtendedLifetime(link) { try sentOverLoopback() }
        try expectEqual(arrived, UInt8(ascii: "Y"), "byte that arrived")
        let seen = try watcher.datagrams().map { $0[udpData] }
        try expectEqual(seen, [UInt8](repeating: UInt8(ascii: "x"), count: 2), "bytes seen on the way out and in")
        let prologue = try translated(try OpenProgram.open(.id(try importer.program(program).info.id)))
        try expect(prologue.count > 8 && prologue.prefix(8).contains { $0.code == UInt8(BPF_JMP | BPF_CALL) },
            "the program does not begin with a call for a private copy: \(prologue.prefix(8))")
    }
} + [
    Case("packets.frame_written_in_place") {
        let importer = try load("import_packets", only: ["frame"], from: [try library("packets", entry: "tc")])
        var packet = somePacket
        packet[udpData] = UInt8(ascii: "x")
        let (result, after) = try testRunOver(try importer.program("frame").descriptor, packet: packet)
        try expectEqual(result, 2, "XDP_PASS")
        packet[udpData] = UInt8(ascii: "Y")
        try expectEqual(after, packet, "frame")
    },
    Case("packets.memory_in_a_packet") {
        let importer = try load("import_packet", from: [try library("memory")])
        let (result, after) = try testRunOver(importer.programs[0].descriptor, packet: somePacket)
        try expectEqual(result, 0, "result")
        try expectEqual(Array(after.prefix(16)), [11, 0, 0, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0], "start of the packet")
        try expectEqual(Array(after.dropFirst(16)), Array(somePacket.dropFirst(16)), "rest of the packet")
    },
    Case("packets.slice_of_a_packet") {
        let importer = try load("import_slice", from: [try library("memory")])
        let (_, after) = try testRunOver(importer.programs[0].descriptor, packet: somePacket)
        try expectEqual([after[0], after[8]], [11, 22], "bytes written")
    },
    Case("packets.metadata") {
        // A packet without metadata: the importer is accepted and has nothing to pass.
        try expectEqual(try load("import_metadata", from: [try library("memory")]).run(), 0, "result")
    },
    Case("packets.refuse.type_that_only_reads") {
        try expectRefusal(
            "is a packet pointer, but programs of this type cannot write to packets as write_byte() may, copy the data",
            "Caller passes invalid args into write_byte() of prog"
        ) { _ = try load("import_packets", only: ["read_only"], from: [try library("packets", entry: "tc")]) }
    },
    Case("packets.refuse.function_that_writes_where_only_reading_is_allowed") {
        let provider = try library("packets", entry: "tc")
        var program = try RawProgram.typed(type: BPF_PROG_TYPE_CGROUP_SKB)
        let types = try require(program.types, "types")
        let function = try program.extern("write_packet", [try types.pointer(to: try types.incomplete("__sk_buff"))])
        program.instructions = [.call(import: function), .set(0, 1), .exit]
        program.slots = [provider]
        try expectRefusal(
            "cannot write into packet",
            "cannot import write_packet() from prog \(provider.info.id) (packets): it is not valid in programs of this kind"
        ) { _ = try program.load() }
    },
    Case("packets.refuse.pointer_from_before_the_packet_changed") {
        try expectRefusal("invalid mem access 'scalar'") {
            _ = try load("import_packets", only: ["stale"], from: [try library("packets", entry: "tc")])
        }
    },
    // What a function does to packets is what its callees do, wherever the walk through their circle begins.
    Case("packets.refuse.pointer_from_before_a_circle_changed_the_packet") {
        let provider = try library("packet_circle", entry: "tc")
        try expectEqual(
            try load("import_packet_circle", only: ["fresh"], from: [provider]).run("fresh"), 50, "length of the packet")
        try expectRefusal("invalid mem access 'scalar'") {
            _ = try load("import_packet_circle", only: ["stale"], from: [provider])
        }
    },
    Case("packets.pointer_from_after_the_packet_changed") {
        let importer = try load("import_packets", only: ["fresh"], from: [try library("packets", entry: "tc")])
        try expectEqual(try importer.run("fresh"), 8, "byte of the packet")
    },
    Case("packets.refuse.memory_that_the_function_changes_itself") {
        try expectRefusal("is a packet pointer, but func#", "may change packet data") {
            _ = try load("import_packets", only: ["pulled_away"], from: [try library("packets", entry: "tc")])
        }
    },
]

/// Where the data of a UDP datagram without IP options begin, from the start of the Ethernet header.
private let udpData = 14 + 20 + 8

/// Sees all packets of an interface, going out and coming in.
private final class PacketSocket {
    private let socket: OwnedDescriptor

    init(interface: CInt) throws {
        let everything = UInt16(3).bigEndian // ETH_P_ALL
        socket = try OwnedDescriptor(Glibc.socket(AF_PACKET, Int32(SOCK_RAW.rawValue), Int32(everything)), "packet socket")
        // struct sockaddr_ll: family, protocol, interface, and nothing of the rest.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes {
            $0.storeBytes(of: sa_family_t(AF_PACKET), toByteOffset: 0, as: sa_family_t.self)
            $0.storeBytes(of: everything, toByteOffset: 2, as: UInt16.self)
            $0.storeBytes(of: interface, toByteOffset: 4, as: CInt.self)
        }
        let result = address.withUnsafeBytes {
            bind(socket.number, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        try expect(result == 0, "the packet socket cannot be bound")
    }

    /// The UDP datagrams that it has seen.
    func datagrams() throws -> [[UInt8]] {
        var seen: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 2048)
        while true {
            let count = recv(socket.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0 { return seen }
            if count > udpData, buffer[14 + 9] == 17 { seen.append(Array(buffer[..<count])) }
        }
    }
}
