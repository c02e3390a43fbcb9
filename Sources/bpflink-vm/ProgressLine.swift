// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMRunner

/// How far a build is: one line that is rewritten on a terminal, elsewhere one line in a while.
final class ProgressLine {
    private let onTerminal = isatty(STDERR_FILENO) == 1
    private var lastShown: Duration?
    private var isShown = false

    func show(_ progress: BuildProgress) {
        let interval = onTerminal ? Duration.milliseconds(200) : .seconds(60)
        guard progress.elapsed >= (lastShown ?? .zero - interval) + interval else { return }
        lastShown = progress.elapsed
        let seconds = progress.elapsed.components.seconds
        let time = seconds < 60 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
        let words = "  \(progress.compiled) files compiled, \(time)"
        if onTerminal {
            let line = String("\(words): \(progress.current)".prefix(100))
            Glibc.write(STDERR_FILENO, "\r\u{1b}[K\(line)", line.utf8.count + 4)
            isShown = true
        } else {
            bpflink_vm.note(words)
        }
    }

    /// Words for the user, on a line of their own.
    func note(_ words: String) {
        clear()
        bpflink_vm.note(words)
    }

    func clear() {
        if isShown { Glibc.write(STDERR_FILENO, "\r\u{1b}[K", 4) }
        isShown = false
    }
}
