// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

enum Network {
    /// Brings up the loopback interface; the kernel then gives it its addresses. See: 'man 7 netdevice'.
    /// A kernel without networking has none, which is no error.
    static func raiseLoopback() {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        var request = ifreq()
        withUnsafeMutableBytes(of: &request.ifr_ifrn) { $0.copyBytes(from: "lo".utf8) }
        guard ioctl(socket, UInt(SIOCGIFFLAGS), &request) == 0 else { return }
        request.ifr_ifru.ifru_flags |= Int16(IFF_UP)
        _ = ioctl(socket, UInt(SIOCSIFFLAGS), &request)
    }
}
