public import PositionedJSON

/// A value in a message of QEMU's machine protocol.
public indirect enum QMPValue: Equatable, Sendable {
  /// Members in the order in which they are written.
  case object([Member])
  /// Elements in their order.
  case array([QMPValue])
  /// A text, without quotation marks and escapes.
  case string(String)
  /// A whole number.
  case integer(Int64)
  /// `true` or `false`.
  case boolean(Bool)
  case null
  /// The digits as somebody wrote them.
  case digits(String)

  /// A key with what stands behind it.
  public struct Member: Equatable, Sendable {
    /// Left of the colon.
    public var key: String
    /// Right of it.
    public var value: QMPValue

    /// A member.
    public init(_ key: String, _ value: QMPValue) {
      self.key = key
      self.value = value
    }
  }

  /// An object without members.
  public static var nothing: QMPValue { .object([]) }

  /// What a client has sent.
  public init(_ value: JSONValue) {
    switch value.content {
    case .null: self = .null
    case .boolean(let value): self = .boolean(value)
    case .number(let digits): self = .digits(digits)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .array(elements.map(QMPValue.init))
    case .object(let members): self = .object(members.map { Member($0.key, QMPValue($0.value)) })
    }
  }

  /// As JSON, on one line.
  public var text: String {
    var text = ""
    write(to: &text)
    return text
  }

  private func write(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .digits(let digits): text += digits
    case .string(let string): Self.write(string, to: &text)
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        text += index == 0 ? "[" : ", "
        element.write(to: &text)
      }
      text += elements.isEmpty ? "[]" : "]"
    case .object(let members):
      for (index, member) in members.enumerated() {
        text += index == 0 ? "{" : ", "
        Self.write(member.key, to: &text)
        text += ": "
        member.value.write(to: &text)
      }
      text += members.isEmpty ? "{}" : "}"
    }
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

/// What is sent to a client of QEMU's machine protocol.
public enum QMPMessage {
  /// The version that the options and the protocol are those of.
  public static let version: (major: Int64, minor: Int64, micro: Int64) = (9, 2, 0)

  /// The version's three numbers with points between.
  public static var versionText: String { "\(version.major).\(version.minor).\(version.micro)" }

  /// What a version says of itself.
  ///
  /// - Parameter package: who really answers.
  public static func versionValue(package: String) -> QMPValue {
    let numbers: [QMPValue.Member] = [
      .init("micro", .integer(version.micro)), .init("minor", .integer(version.minor)),
      .init("major", .integer(version.major)),
    ]
    return .object([.init("qemu", .object(numbers)), .init("package", .string(package))])
  }

  /// The first message.
  public static func greeting(package: String) -> QMPValue {
    .object([
      .init("QMP", .object([.init("version", versionValue(package: package)), .init("capabilities", .array([]))]))
    ])
  }

  /// An answer to a request.
  public static func success(_ value: QMPValue, to identifier: JSONValue?) -> QMPValue {
    .object([.init("return", value)] + repeated(identifier))
  }

  /// The classes of mistakes that there are here.
  public enum ErrorClass: String, Sendable {
    case generic = "GenericError"
    case commandNotFound = "CommandNotFound"
  }

  /// An answer to a request that was refused, or to what is none.
  public static func failure(_ kind: ErrorClass, _ description: String, to identifier: JSONValue? = nil) -> QMPValue {
    let error: [QMPValue.Member] = [.init("class", .string(kind.rawValue)), .init("desc", .string(description))]
    return .object([.init("error", .object(error))] + repeated(identifier))
  }

  /// Something that happened.
  ///
  /// - Parameter time: nanoseconds since 1970.
  public static func event(_ name: String, _ data: [QMPValue.Member] = [], time: UInt64) -> QMPValue {
    let stamp: [QMPValue.Member] = [
      .init("seconds", .integer(Int64(time / 1_000_000_000))),
      .init("microseconds", .integer(Int64(time / 1000 % 1_000_000))),
    ]
    return .object(
      [.init("timestamp", .object(stamp)), .init("event", .string(name))]
        + (data.isEmpty ? [] : [.init("data", .object(data))])
    )
  }

  private static func repeated(_ identifier: JSONValue?) -> [QMPValue.Member] {
    identifier.map { [.init("id", QMPValue($0))] } ?? []
  }
}
