public import PositionedJSON

/// What a client of QEMU's machine protocol wants.
public struct QMPRequest: Sendable {
  /// The command's name.
  public let command: String
  /// What is given to the command, each by its name.
  public let arguments: [JSONValue.Member]
  /// What the answer is to repeat, where there is one.
  public let identifier: JSONValue?

  /// Reads a request.
  ///
  /// - Throws: ``QMPMistake`` for what is none.
  init(_ value: JSONValue) throws(QMPMistake) {
    guard let members = value.members else { throw QMPMistake("expected an object") }
    var (command, arguments, identifier): (String?, [JSONValue.Member], JSONValue?) = (nil, [], nil)
    for member in members {
      switch member.key {
      case "execute":
        guard let name = member.value.string else { throw QMPMistake("'execute' takes a string") }
        command = name
      case "arguments":
        guard let given = member.value.members else { throw QMPMistake("'arguments' takes an object") }
        arguments = given
      case "id": identifier = member.value
      default: throw QMPMistake("QMP input member '\(member.key)' is unexpected")
      }
    }
    guard let command else { throw QMPMistake("QMP input lacks member 'execute'") }
    self.command = command
    self.arguments = arguments
    self.identifier = identifier
  }
}

/// Bytes that are no request.
public struct QMPMistake: Error, Equatable, Sendable {
  /// What is wrong.
  public let description: String
  /// Whether there is no telling where the next request begins.
  public let isLast: Bool

  init(_ description: String, isLast: Bool = false) {
    self.description = description
    self.isLast = isLast
  }
}

/// Finds requests in what a client sends: JSON objects one after the other, with or without line feeds between.
public struct QMPReader: Sendable {
  /// A longer request ends the conversation, in bytes.
  public static let maximumSize = 64 << 10
  /// Deeper nesting is a mistake.
  public static let maximumDepth = 32

  private var bytes: [UInt8] = []
  /// How far the search for the request's end has come.
  private var place = 0
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  private var hasFailed = false

  /// A conversation that begins.
  public init() {}

  /// Takes what the client has sent.
  public mutating func append(_ more: some Collection<UInt8>) {
    if !hasFailed { bytes += more }
  }

  /// The next request that is there whole, or what is wrong with it.
  ///
  /// - Returns: nil where more has to come first.
  public mutating func next() -> Result<QMPRequest, QMPMistake>? {
    guard !hasFailed else { return nil }
    while place < bytes.count {
      guard place < Self.maximumSize else {
        hasFailed = true
        bytes = []
        return .failure(QMPMistake("a request has at most \(Self.maximumSize) bytes", isLast: true))
      }
      let byte = bytes[place]
      place += 1
      if let isEnd = step(byte) {
        let request = Array(bytes[..<place])
        bytes.removeFirst(place)
        place = 0
        depth = 0
        isInString = false
        isEscaped = false
        return isEnd ? Self.read(request) : .failure(QMPMistake("JSON parse error, expected an object"))
      }
    }
    return nil
  }

  /// - Returns: true where an object ends with this byte, false where it cannot belong to one, nil otherwise.
  private mutating func step(_ byte: UInt8) -> Bool? {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      } else if byte == 0x0A {
        // JSON has none in a string: here the client has lost its way, and the next line may be right.
        return false
      }
      return nil
    }
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      if depth <= 0 { return depth == 0 }
    case UInt8(ascii: "\"") where depth > 0: isInString = true
    case 0x20, 0x09, 0x0A, 0x0D:
      // What stands between requests need not be kept.
      if depth == 0, place == 1 {
        bytes.removeFirst()
        place = 0
      } else if depth == 0 {
        return false
      }
    default: break
    }
    return nil
  }

  private static func read(_ bytes: [UInt8]) -> Result<QMPRequest, QMPMistake> {
    do throws(JSONError) {
      let value = try JSONParser.parse(bytes, maximumDepth: maximumDepth)
      do throws(QMPMistake) {
        return .success(try QMPRequest(value))
      } catch {
        return .failure(error)
      }
    } catch {
      return .failure(QMPMistake("JSON parse error, \(error.message)"))
    }
  }
}
