// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The shared libraries that a program needs, and theirs.
enum LibraryClosure {
    /// Asks the program's own dynamic loader (ld.so(8), `--list`), which is right where a search of our own
    /// could only be nearly so. Empty for a statically linked program.
    /// - Parameter directory: the working directory, for programs whose own search path is relative.
    /// - Returns: the loader and the libraries: the name by which each is asked for, and its file.
    static func of(_ program: String, directory: String? = nil) throws(RunnerError) -> [(name: String, file: String)] {
        guard let interpreter = try interpreter(of: program) else { return [] }
        var libraries = [(name: lastComponent(interpreter), file: interpreter)]
        let listing = try Tool.output([interpreter, "--list", program], directory: directory)
        for line in listing.split(separator: "\n") {
            // "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)"
            guard let arrow = line.firstRange(of: " => ") else { continue }
            let name = line[..<arrow.lowerBound].drop { $0 == "\t" || $0 == " " }
            var file = line[arrow.upperBound...].prefix { $0 != " " }
            if let directory, file.hasPrefix("./") { file = directory + file.dropFirst() }
            guard file.hasPrefix("/") else {
                throw RunnerError("\(program) needs the library \(name), which is not installed")
            }
            if !libraries.contains(where: { $0.name == name }) { libraries.append((String(name), String(file))) }
        }
        return libraries
    }

    /// The path in the program header PT_INTERP of a 64-bit little-endian ELF file; nil if it has none.
    private static func interpreter(of program: String) throws(RunnerError) -> String? {
        let bytes = try Files.read(program, limit: 64 << 10)
        func integer(_ offset: Int, _ size: Int) throws(RunnerError) -> Int {
            guard offset >= 0, offset + size <= bytes.count else { throw RunnerError("\(program) is not a whole ELF file") }
            return bytes[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]) else {
            throw RunnerError("\(program) is not a 64-bit little-endian ELF file")
        }
        let table = try integer(0x20, 4)
        let entrySize = try integer(0x36, 2)
        for index in 0..<(try integer(0x38, 2)) {
            let header = table + index * entrySize
            guard try integer(header, 4) == 3 else { continue }
            let offset = try integer(header + 8, 4)
            let size = try integer(header + 32, 4)
            guard size > 1, offset + size <= bytes.count else { throw RunnerError("\(program) has a damaged PT_INTERP") }
            return String(decoding: bytes[offset..<offset + size - 1], as: UTF8.self)
        }
        return nil
    }

    static func lastComponent(_ path: String) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }
}
