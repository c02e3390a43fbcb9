// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Base 64 (RFC 4648, section 4, with padding): how a command's bytes travel in JSON lines.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    public static func encode(_ bytes: [UInt8]) -> String {
        let length = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: length) { text in
            alphabet.withUnsafeBufferPointer { alphabet in
                var output = 0
                var input = 0
                while input < bytes.count {
                    let present = min(3, bytes.count - input)
                    var group: UInt32 = 0
                    for index in 0..<3 {
                        group = group << 8 | (index < present ? UInt32(bytes[input + index]) : 0)
                    }
                    for index in 0..<4 {
                        let sextet = Int(group >> (18 - 6 * UInt32(index)) & 63)
                        text[output + index] = index <= present ? alphabet[sextet] : UInt8(ascii: "=")
                    }
                    output += 4
                    input += 3
                }
            }
            return length
        }
    }

    /// Nil if `text` is not base 64.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { characters -> [UInt8]? in
            guard characters.count % 4 == 0 else { return nil }
            var padding = 0
            while padding < min(2, characters.count), characters[characters.count - 1 - padding] == UInt8(ascii: "=") {
                padding += 1
            }
            let significant = characters.count - padding
            var isValid = true
            let bytes = values.withUnsafeBufferPointer { values in
                [UInt8](unsafeUninitializedCapacity: characters.count / 4 * 3) { bytes, count in
                    for start in stride(from: 0, to: characters.count, by: 4) {
                        var group: UInt32 = 0
                        for index in start..<start + 4 {
                            let value = index < significant ? values[Int(characters[index])] : 0
                            isValid = isValid && value != 0xff
                            group = group << 6 | UInt32(value)
                        }
                        bytes[count] = UInt8(truncatingIfNeeded: group >> 16)
                        bytes[count + 1] = UInt8(truncatingIfNeeded: group >> 8)
                        bytes[count + 2] = UInt8(truncatingIfNeeded: group)
                        count += 3
                    }
                    count -= padding
                }
            }
            return isValid ? bytes : nil
        }
    }
}
