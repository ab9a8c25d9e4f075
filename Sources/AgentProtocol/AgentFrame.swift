/// One piece of what the host and the guest's agent say to each other: `Guests/Agent/agent.c` has the form.
public struct AgentFrame: Equatable, Sendable {
  /// Which request it belongs to; 0 is none.
  public var stream: UInt32
  /// The number of a ``Request`` or an ``Answer``, or of neither.
  public var kind: UInt32
  /// What it says; the kind says how.
  public var payload: [UInt8]

  /// Bytes before the payload.
  public static let headerSize = 12
  /// The most that the agent sends as one frame's payload; more is no frame of an agent's.
  public static let payloadLimit = 32 << 10
  /// The most that the agent takes.
  public static let requestLimit = 256 << 10
  /// How many bytes of a stream's input may be under way.
  public static let inputWindow = 64 << 10
  /// The protocol's version.
  public static let version: UInt32 = 1

  /// What the host asks for.
  public enum Request: UInt32, Sendable {
    case start = 1
    case input = 2
    case inputEnd = 3
    case signal = 4
    case read = 5
    case write = 6
    case folder = 7
    case mount = 8
    case kernelLog = 9
    case shutDown = 10
    case ping = 11
    case module = 12
    case link = 13
  }

  /// What the agent answers.
  public enum Answer: UInt32, Sendable {
    case hello = 64
    case started = 65
    case output = 66
    case errorOutput = 67
    case consumed = 68
    case exited = 69
    case killed = 70
    case failed = 71
  }

  /// What the host asks for.
  public init(_ request: Request, stream: UInt32, _ payload: [UInt8] = []) {
    (self.stream, kind, self.payload) = (stream, request.rawValue, payload)
  }

  public init(stream: UInt32, kind: UInt32, payload: [UInt8]) {
    (self.stream, self.kind, self.payload) = (stream, kind, payload)
  }

  /// The frame as it travels.
  public var bytes: [UInt8] {
    Self.bytes(of: UInt32(payload.count)) + Self.bytes(of: stream) + Self.bytes(of: kind) + payload
  }

  /// The payload's first number, for answers that have one.
  public var number: UInt32? { payload.count >= 4 ? Self.number(payload[0..<4]) : nil }

  /// A number as it travels.
  public static func bytes(of number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  /// The number that four bytes are.
  public static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Texts as they travel, each with a zero behind it.
  ///
  /// - Returns: nil where one has a zero in it.
  public static func bytes(of texts: [String]) -> [UInt8]? {
    guard texts.allSatisfy({ !$0.utf8.contains(0) }) else { return nil }
    return texts.flatMap { Array($0.utf8) + [0] }
  }
}
