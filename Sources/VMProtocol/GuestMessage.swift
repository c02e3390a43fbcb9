// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// How a job ended, as its own record: a job without this record has not ended well, whatever else is known.
public struct JobEnd: Equatable, Sendable {
    public enum Status: Equatable, Sendable {
        /// The command's exit code, 0…255.
        case exited(Int)
        /// The number of the signal that ended the command.
        case signalled(Int)
        /// The command could not be started: its exit code in the manner of shells (126, 127) and why.
        case notStarted(code: Int, reason: String)
    }

    public var id: String
    public var status: Status
    /// From the command's start to its end.
    public var milliseconds: Int
    /// `/proc/sys/kernel/tainted` before the command and after it.
    public var taintBefore: Int
    public var taintAfter: Int

    public init(id: String, status: Status, milliseconds: Int, taintBefore: Int, taintAfter: Int) {
        self.id = id
        self.status = status
        self.milliseconds = milliseconds
        self.taintBefore = taintBefore
        self.taintAfter = taintAfter
    }

    /// The exit code as a shell would report it: 128 + signal for a command that a signal ended.
    public var exitCode: Int {
        switch status {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        case .notStarted(let code, _): code
        }
    }
}

/// Agent → runner.
public enum GuestMessage: Equatable, Sendable {
    public enum Stream: String, Sendable { case output, error }

    /// The agent is ready for a job.
    case hello(version: Int, kernel: String, bootMilliseconds: Int)
    case start(id: String)
    case output(Stream, [UInt8])
    /// The command took this many bytes of `input`.
    case inputTaken(Int)
    /// A record of the kernel log that appeared during the job (level: 0 emergency … 7 debug).
    case kernel(level: Int, text: String)
    case end(JobEnd)
    /// The last message: the machine goes away now.
    case bye

    /// The message with its place in the sequence, which starts at 0 and has no gaps.
    public func json(sequence: Int) -> JSON {
        guard case .object(let members) = body else { return body }
        return .object([.init("seq", .integer(sequence))] + members)
    }

    private var body: JSON {
        switch self {
        case .hello(let version, let kernel, let milliseconds):
            return [
                "type": "hello", "version": .integer(version), "kernel": .string(kernel),
                "bootMs": .integer(milliseconds),
            ]
        case .start(let id): return ["type": "start", "id": .string(id)]
        case .output(let stream, let bytes):
            return ["type": "output", "stream": .string(stream.rawValue), "data": .string(Base64.encode(bytes))]
        case .inputTaken(let count): return ["type": "inputTaken", "bytes": .integer(count)]
        case .kernel(let level, let text): return ["type": "kernel", "level": .integer(level), "text": .string(text)]
        case .end(let end):
            var members: [JSON.Member] = [.init("type", "end"), .init("id", .string(end.id))]
            switch end.status {
            case .exited(let code): members.append(.init("exit", .integer(code)))
            case .signalled(let signal): members.append(.init("signal", .integer(signal)))
            case .notStarted(let code, let reason):
                members += [.init("notStarted", .string(reason)), .init("exit", .integer(code))]
            }
            members += [
                .init("ms", .integer(end.milliseconds)), .init("taintBefore", .integer(end.taintBefore)),
                .init("taintAfter", .integer(end.taintAfter)),
            ]
            return .object(members)
        case .bye: return ["type": "bye"]
        }
    }

    /// Reads one line: the message and its sequence number.
    public static func parse(line: [UInt8]) throws(ProtocolError) -> (sequence: Int, message: GuestMessage) {
        let fields = try Fields(line: line)
        return (try fields.integer("seq"), try message(fields))
    }

    private static func message(_ fields: Fields) throws(ProtocolError) -> GuestMessage {
        switch try fields.string("type") {
        case "hello":
            return .hello(
                version: try fields.integer("version"), kernel: try fields.string("kernel"),
                bootMilliseconds: try fields.integer("bootMs"))
        case "start": return .start(id: try fields.string("id"))
        case "output":
            guard let stream = Stream(rawValue: try fields.string("stream")) else {
                throw ProtocolError("output to an unknown stream")
            }
            return .output(stream, try fields.bytes("data"))
        case "inputTaken": return .inputTaken(try fields.integer("bytes"))
        case "kernel": return .kernel(level: try fields.integer("level"), text: try fields.string("text"))
        case "end":
            let status: JobEnd.Status
            if let reason = fields.json["notStarted"]?.stringValue {
                status = .notStarted(code: try fields.integer("exit"), reason: reason)
            } else if let signal = fields.json["signal"]?.integerValue {
                status = .signalled(signal)
            } else {
                status = .exited(try fields.integer("exit"))
            }
            return .end(
                JobEnd(
                    id: try fields.string("id"), status: status, milliseconds: try fields.integer("ms"),
                    taintBefore: try fields.integer("taintBefore"), taintAfter: try fields.integer("taintAfter")))
        case "bye": return .bye
        case let type: throw ProtocolError("a message of unknown type '\(type)'")
        }
    }
}
