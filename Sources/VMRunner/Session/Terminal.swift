// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc

/// The user's terminal in raw mode, for as long as the value lives.
struct RawTerminal: ~Copyable {
    private let saved: termios

    /// Nil if standard input is no terminal.
    init?() {
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0 else { return nil }
        saved = mode
        cfmakeraw(&mode)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
    }

    deinit {
        var mode = saved
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
    }

    /// The terminal's size in characters; that of a printed card if it is not known.
    static var size: (rows: Int, columns: Int) {
        var size = winsize()
        guard ioctl(STDIN_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return (24, 80) }
        return (Int(size.ws_row), Int(size.ws_col))
    }
}

/// Signals to this process, as a descriptor to wait for.
struct SignalWatch: ~Copyable {
    let descriptor: Int32

    /// From now on these signals only come through the descriptor.
    init(_ signals: [Int32]) {
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in signals { sigaddset(&mask, signal) }
        pthread_sigmask(SIG_BLOCK, &mask, nil)
        descriptor = signalfd(-1, &mask, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    }

    deinit { close(descriptor) }

    /// The next signal that a watch's descriptor has; nil if there is none.
    static func next(_ descriptor: Int32) -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard read(descriptor, &info, size) == size else { return nil }
        return Int32(info.ssi_signo)
    }
}
