// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMProtocol

@Suite struct JSONTests {
    @Test(arguments: [
        ("null", JSON.null), (" true ", true), ("-12", -12), ("1.5", JSON.number(1.5)), ("[]", []), ("[1,[2]]", [1, [2]]),
        (#"{"a":{"b":"c"},"d":[]}"#, ["a": ["b": "c"], "d": []]),
        (#""A\n\t\"\\\/\b\f\r\u00e9\ud83d\ude00""#, "A\n\t\"\\/\u{8}\u{c}\ré😀"),
    ] as [(String, JSON)])
    func reads(_ text: String, _ value: JSON) throws {
        #expect(try JSON(parsing: Array(text.utf8)) == value)
    }

    @Test(arguments: [
        "", "nul", "[1", "[1,]", #"{"a"}"#, #"{"a":1,}"#, #"{a:1}"#, #""x"#, "\"a\nb\"", #""\x""#, #""\ud83d""#, "1 2", "--1",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test func refusesDeepNesting() {
        let text = String(repeating: "[", count: 10_000)
        #expect(throws: JSONError.self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test func tellsWhere() {
        #expect(throws: JSONError(offset: 5, reason: "expected ':'")) { try JSON(parsing: Array(#"{"a" 1}"#.utf8)) }
    }

    @Test func writesOneLine() {
        let value: JSON = ["text": "a\n\"\\\u{1}\t", "list": [1, false, .null], "empty": .object([])]
        #expect(value.description == #"{"text":"a\n\"\\\u0001\t","list":[1,false,null],"empty":{}}"#)
    }
}

@Suite struct Base64Tests {
    /// The examples of RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func examples(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test func everyByte() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }

    @Test(arguments: ["Zg", "Zg=", "Z===", "Zm9v!", "Zm8=Zm8="])
    func refuses(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

@Suite struct LineBufferTests {
    @Test func joinsPieces() throws {
        var buffer = LineBuffer()
        #expect(try buffer.append(Array("ab".utf8)).isEmpty)
        #expect(buffer.hasPartialLine)
        #expect(try buffer.append(Array("c\nd\n\ne".utf8)) == [Array("abc".utf8), Array("d".utf8), []])
        #expect(try buffer.append(Array("\n".utf8)) == [Array("e".utf8)])
        #expect(!buffer.hasPartialLine)
    }

    @Test func refusesEndlessLines() {
        var buffer = LineBuffer()
        #expect(throws: ProtocolError.self) {
            try buffer.append([UInt8](repeating: 0x61, count: LineBuffer.longestLine + 1))
        }
    }
}

@Suite struct MessageTests {
    @Test(arguments: [
        HostMessage.job(
            Job(id: "a b", arguments: ["sh", "-c", "x\ny"], environment: ["A=1"], directory: "/d", files: .host, input: .stream)),
        .job(Job(id: "t", arguments: ["sh"], input: .terminal(rows: 3, columns: 4))), .job(Job(id: "n", arguments: ["x"])),
        .job(Job(id: "l", arguments: ["x"], searchesForLeaks: true)),
        .input([0, 255, 10]), .inputEnd, .resize(rows: 1, columns: 2), .explain, .quit,
    ])
    func hostMessagesComeBack(_ message: HostMessage) throws {
        #expect(try HostMessage(line: Array(message.json.description.utf8)) == message)
    }

    @Test(arguments: [
        GuestMessage.hello(version: 1, kernel: "7.3", bootMilliseconds: 5), .start(id: "x"), .output(.error, [1, 2, 3]),
        .inputTaken(7), .kernel(level: 4, text: "WARNING: \"x\""), .bye,
        .end(JobEnd(id: "x", status: .exited(3), milliseconds: 1, taintBefore: 0, taintAfter: 512)),
        .end(JobEnd(id: "x", status: .signalled(11), milliseconds: 1, taintBefore: 0, taintAfter: 0)),
        .end(JobEnd(id: "x", status: .notStarted(code: 127, reason: "gone"), milliseconds: 0, taintBefore: 0, taintAfter: 0)),
    ])
    func guestMessagesComeBack(_ message: GuestMessage) throws {
        let (sequence, result) = try GuestMessage.parse(line: Array(message.json(sequence: 9).description.utf8))
        #expect(sequence == 9)
        #expect(result == message)
    }

    @Test(arguments: [
        "", "{", #"{"type":"bye"}"#, #"{"seq":0}"#, #"{"seq":0,"type":"other"}"#, #"{"seq":0,"type":"end","id":"x"}"#,
        #"{"seq":0,"type":"output","stream":"output","data":"?"}"#, #"{"seq":"0","type":"bye"}"#,
    ])
    func refusesWhatIsNoMessage(_ line: String) {
        #expect(throws: ProtocolError.self) { try GuestMessage.parse(line: Array(line.utf8)) }
    }

    @Test func aChunkOfOutputFitsIntoOneWrite() {
        let message = GuestMessage.output(.output, [UInt8](repeating: 0xff, count: VMProtocol.chunkBytes))
        #expect(message.json(sequence: 1_000_000_000).description.utf8.count < 32 << 10)
    }

    @Test(arguments: [(JobEnd.Status.exited(7), 7), (.signalled(9), 137), (.notStarted(code: 126, reason: ""), 126)])
    func exitCodesAreThoseOfAShell(_ status: JobEnd.Status, _ code: Int) {
        #expect(JobEnd(id: "", status: status, milliseconds: 0, taintBefore: 0, taintAfter: 0).exitCode == code)
    }
}
