// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What one side received is not a message of this protocol.
public struct ProtocolError: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// The protocol between the runner and the agent: JSON objects, one per line, over one virtio-serial port.
public enum VMProtocol {
    /// Both sides must speak the same version.
    public static let version = 1
    /// The name of the virtio-serial port, found in the guest at `/sys/class/virtio-ports/*/name`.
    public static let portName = "bpflink.ctl"
    /// The 9p mount tag of the host's files.
    public static let hostFilesTag = "hostfiles"
    /// Most bytes of a command's output in one message: with base 64 the line stays below the 32 KiB that
    /// the kernel's virtio console driver takes in one write, so a line is written whole.
    public static let chunkBytes = 16 << 10
    /// Bytes of standard input that may be on their way to the command; the host waits for
    /// `inputTaken` before it sends more.
    public static let inputWindow = 64 << 10
}

/// A command for the agent to run.
public struct Job: Equatable, Sendable {
    /// The files that the command sees.
    public enum Files: String, Sendable {
        /// The machine's own initial file system.
        case own
        /// The host's files, read-only under an overlay that is thrown away.
        case host
        /// The file system on the machine's disk.
        case disk
    }

    /// Where the command's standard input comes from.
    public enum Input: Equatable, Sendable {
        /// `/dev/null`
        case none
        /// `input` messages, until `inputEnd`.
        case stream
        /// A terminal of this size, which is also its output.
        case terminal(rows: Int, columns: Int)
    }

    /// Names the job in its records and in the kernel log.
    public var id: String
    /// The command and its arguments; a command without a slash is looked up in the environment's `PATH`.
    public var arguments: [String]
    /// `NAME=VALUE` strings.
    public var environment: [String]
    /// The working directory.
    public var directory: String
    public var files: Files
    public var input: Input
    /// Have the kernel look for memory that the job leaked (kmemleak), after its end and before its end record. What is
    /// found is in the kernel's log. A kernel that cannot look does not start the job.
    public var searchesForLeaks: Bool

    public init(
        id: String, arguments: [String], environment: [String] = [], directory: String = "/", files: Files = .own,
        input: Input = .none, searchesForLeaks: Bool = false
    ) {
        self.searchesForLeaks = searchesForLeaks
        self.id = id
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.files = files
        self.input = input
    }
}

/// Runner → agent.
public enum HostMessage: Equatable, Sendable {
    case job(Job)
    case input([UInt8])
    case inputEnd
    /// The terminal's size changed.
    case resize(rows: Int, columns: Int)
    /// Have the kernel log what every task and CPU is doing.
    case explain
    /// Say `bye` and end the machine.
    case quit

    public var json: JSON {
        switch self {
        case .job(let job):
            var members: [JSON.Member] = [
                .init("type", "job"), .init("id", .string(job.id)),
                .init("arguments", .array(job.arguments.map(JSON.string))),
                .init("environment", .array(job.environment.map(JSON.string))),
                .init("directory", .string(job.directory)), .init("files", .string(job.files.rawValue)),
            ]
            if job.searchesForLeaks { members.append(.init("leaks", true)) }
            switch job.input {
            case .none: break
            case .stream: members.append(.init("input", "stream"))
            case .terminal(let rows, let columns):
                members.append(.init("input", ["rows": .integer(rows), "columns": .integer(columns)]))
            }
            return .object(members)
        case .input(let bytes): return ["type": "input", "data": .string(Base64.encode(bytes))]
        case .inputEnd: return ["type": "inputEnd"]
        case .resize(let rows, let columns):
            return ["type": "resize", "rows": .integer(rows), "columns": .integer(columns)]
        case .explain: return ["type": "explain"]
        case .quit: return ["type": "quit"]
        }
    }

    public init(line: [UInt8]) throws(ProtocolError) {
        let fields = try Fields(line: line)
        switch try fields.string("type") {
        case "job":
            guard let files = Job.Files(rawValue: try fields.string("files")) else {
                throw ProtocolError("a job with unknown files")
            }
            var input = Job.Input.none
            if let value = fields.json["input"] {
                if value == "stream" {
                    input = .stream
                } else if let rows = value["rows"]?.integerValue, let columns = value["columns"]?.integerValue {
                    input = .terminal(rows: rows, columns: columns)
                } else {
                    throw ProtocolError("a job with unknown input")
                }
            }
            self = .job(
                Job(
                    id: try fields.string("id"), arguments: try fields.strings("arguments"),
                    environment: try fields.strings("environment"), directory: try fields.string("directory"),
                    files: files, input: input, searchesForLeaks: fields.json["leaks"] == true))
        case "input": self = .input(try fields.bytes("data"))
        case "inputEnd": self = .inputEnd
        case "resize": self = .resize(rows: try fields.integer("rows"), columns: try fields.integer("columns"))
        case "explain": self = .explain
        case "quit": self = .quit
        case let type: throw ProtocolError("a message of unknown type '\(type)'")
        }
    }
}

/// The members of one message, read with words about what is missing.
struct Fields {
    let json: JSON

    init(line: [UInt8]) throws(ProtocolError) {
        do {
            json = try JSON(parsing: line)
        } catch {
            throw ProtocolError("a line that is not JSON (\(error)): \(String(decoding: line.prefix(80), as: UTF8.self))")
        }
    }

    func string(_ name: String) throws(ProtocolError) -> String {
        guard let value = json[name]?.stringValue else { throw ProtocolError("a message without text '\(name)'") }
        return value
    }

    func integer(_ name: String) throws(ProtocolError) -> Int {
        guard let value = json[name]?.integerValue else { throw ProtocolError("a message without number '\(name)'") }
        return value
    }

    func strings(_ name: String) throws(ProtocolError) -> [String] {
        guard let values = json[name]?.arrayValue else { throw ProtocolError("a message without list '\(name)'") }
        var strings: [String] = []
        for value in values {
            guard let string = value.stringValue else { throw ProtocolError("'\(name)' holds more than texts") }
            strings.append(string)
        }
        return strings
    }

    func bytes(_ name: String) throws(ProtocolError) -> [UInt8] {
        guard let bytes = Base64.decode(try string(name)) else { throw ProtocolError("'\(name)' is not base 64") }
        return bytes
    }
}
