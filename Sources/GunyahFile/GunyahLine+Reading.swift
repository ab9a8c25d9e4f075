import Gunyah
internal import PositionedJSON

/// Why a line is no line of a transcript.
public struct GunyahLineError: Error, Equatable, Sendable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  /// What is wrong, for people.
  public var message: String
  /// What stands before the line.
  public var before: [GunyahLine]

  public var description: String { "line \(line): \(message)" }
}

extension GunyahLine {
  /// How many bytes a line has at most: a message as large as one can be, with its fields.
  public static let lengthLimit = 1 << 20

  /// Reads a transcript: one JSON object per line, empty lines are skipped.
  ///
  /// What a line says is taken from its numbers and bytes; names, errors and fields are for other readers.
  ///
  /// - Throws: the first line that is none, why, and the lines before it.
  public static func lines(_ text: [UInt8]) throws(GunyahLineError) -> [GunyahLine] {
    let (lines, mistake) = JSONLines.read(text, maximumDepth: 8, maximumSize: lengthLimit) {
      value throws(Mistake) in try GunyahLine(value)
    }
    if let mistake { throw GunyahLineError(line: mistake.line, message: mistake.message, before: lines) }
    return lines
  }

  private typealias Mistake = JSONLines.Mistake

  private init(_ value: JSONValue) throws(Mistake) {
    guard let kind = value["kind"]?.string else { throw Mistake("expected a kind") }
    if value["machine"] == nil, value["agent"] != nil {
      throw Mistake("it is an SCMI transcript's; give the file to 'apus scmi decode'")
    }
    guard
      let sequence = value["sequence"]?.integer(UInt64.self), let time = value["time"]?.integer(UInt64.self),
      let name = value["machine"]?.string, let machine = value["vmid"]?.integer(UInt16.self)
    else { throw Mistake("expected sequence, time, machine and vmid") }
    guard 1...Self.nameLimit ~= name.utf8.count else {
      throw Mistake("expected a machine's name of 1 to \(Self.nameLimit) bytes")
    }
    let vcpu = try Self.optional(value, "vcpu", "a number from 0") { $0.integer(UInt16.self) }
    let content: GunyahRecord.Content =
      kind == "call" ? .call(try Self.call(value)) : .message(try Self.message(value, kind))
    let record = GunyahRecord(time: time, machine: machine, vcpu: vcpu.map(Int.init), content: content)
    self.init(sequence: sequence, name: name, record: record)
  }

  private static func call(_ value: JSONValue) throws(Mistake) -> GunyahRecord.Call {
    let number = try register(value, "number")
    var call = GunyahRecord.Call(
      number: number,
      arguments: try registers(value, "arguments"),
      result: Int64(bitPattern: try register(value, "result")),
      outputs: try registers(value, "outputs")
    )
    call.peer = try optional(value, "peer", "a machine's number") { $0.integer(UInt16.self) }
    let size = MessageQueue.sizes.upperBound
    call.bytes = try optional(value, "bytes", "at most \(size) bytes in hexadecimal digits") { value in
      value.string.flatMap { HexadecimalBytes.bytes($0) }.flatMap { $0.count <= size ? $0 : nil }
    }
    return call
  }

  private static func message(_ value: JSONValue, _ word: String) throws(Mistake) -> GunyahRecord.Message {
    typealias Message = GunyahRecord.Message
    guard let kind = Message.Kind.allCases.first(where: { $0.word == word }) else {
      throw Mistake("expected the kind call, request, reply or notification")
    }
    guard
      let direction = value["direction"]?.string.flatMap({ word in
        Message.Direction.allCases.first { $0.word == word }
      })
    else { throw Mistake("expected the direction to-manager or from-manager") }
    guard let identifier = UInt32(exactly: try register(value, "id")) else {
      throw Mistake("expected an id of 32 bits")
    }
    guard let token = value["token"]?.integer(UInt16.self) else { throw Mistake("expected a token of 16 bits") }
    guard
      let payload = value["raw"]?.string.flatMap({ HexadecimalBytes.bytes($0) }),
      payload.count <= RPCHeader.maximumPayloadSize
    else {
      throw Mistake("expected at most \(RPCHeader.maximumPayloadSize) bytes in hexadecimal digits in raw")
    }
    return Message(direction: direction, kind: kind, identifier: identifier, sequence: token, payload: payload)
  }

  private static func optional<Value>(
    _ value: JSONValue,
    _ key: String,
    _ expected: String,
    _ read: (JSONValue) -> Value?
  ) throws(Mistake) -> Value? {
    guard let member = value[key] else { return nil }
    guard let result = read(member) else { throw Mistake("expected \(expected) in \(key)") }
    return result
  }

  private static func register(_ value: JSONValue, _ key: String) throws(Mistake) -> UInt64 {
    guard let number = value[key]?.string.flatMap({ JSONText.number(hexadecimal: $0) }) else {
      throw Mistake("expected a text of 0x and hexadecimal digits in \(key)")
    }
    return number
  }

  /// How many registers a call has at most: x1 to x17.
  private static let registerLimit = 17

  private static func registers(_ value: JSONValue, _ key: String) throws(Mistake) -> [UInt64] {
    var numbers: [UInt64] = []
    let elements = value[key]?.array
    for element in elements ?? [] {
      if let number = element.string.flatMap({ JSONText.number(hexadecimal: $0) }) { numbers.append(number) }
    }
    guard let elements, elements.count == numbers.count, numbers.count <= registerLimit else {
      throw Mistake("expected at most \(registerLimit) texts of 0x and hexadecimal digits in \(key)")
    }
    return numbers
  }
}
