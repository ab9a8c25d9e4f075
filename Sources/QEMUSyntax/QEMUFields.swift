/// The text behind an option in QEMU's syntax: `first,name=value,name=value,name`.
///
/// A comma within a value is written twice. A name without a value means `on`, and the first word may be the value of a
/// name that goes without saying.
public struct QEMUFields: Equatable, Sendable {
  /// One of them.
  public struct Field: Equatable, Sendable {
    /// Left of the equals sign.
    public var name: String
    /// Right of it.
    public var value: String

    /// A field.
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What nobody has taken yet, in the text's order.
  public private(set) var fields: [Field] = []
  /// The option that it stands behind, for what is said of it.
  private let option: String

  /// A longer text is refused, in bytes.
  public static let maximumSize = 64 << 10

  /// Reads the text of an option.
  ///
  /// - Parameters:
  ///   - option: as it was written, with its dash.
  ///   - implied: the name of a first word without an equals sign.
  /// - Throws: ``QEMUSyntaxError`` for a field without a name, and a text that is too long.
  public init(_ text: String, of option: String, implied: String? = nil) throws(QEMUSyntaxError) {
    self.option = option
    guard text.utf8.count <= Self.maximumSize else {
      throw QEMUSyntaxError(option, "its text has more than \(Self.maximumSize) bytes")
    }
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
      var (name, value): ([UInt8], [UInt8]) = ([], [])
      var hasValue = false
      while index < bytes.count {
        let byte = bytes[index]
        index += 1
        if byte == UInt8(ascii: ",") {
          // In a name, too: the first word may be a value.
          guard index < bytes.count, bytes[index] == byte else { break }
          index += 1
        } else if byte == UInt8(ascii: "="), !hasValue {
          hasValue = true
          continue
        }
        if hasValue { value.append(byte) } else { name.append(byte) }
      }
      let word = String(decoding: name, as: UTF8.self)
      if hasValue {
        guard !name.isEmpty else { throw QEMUSyntaxError(option, "a name has to stand before each '='") }
        fields.append(Field(name: word, value: String(decoding: value, as: UTF8.self)))
      } else if let implied, fields.isEmpty {
        fields.append(Field(name: implied, value: word))
      } else if !name.isEmpty {
        fields.append(Field(name: word, value: "on"))
      }
    }
  }

  /// The value of a name, where it is there.
  ///
  /// - Throws: ``QEMUSyntaxError`` where it is there twice with different values.
  public mutating func take(_ name: String) throws(QEMUSyntaxError) -> String? {
    let values = takeAll(name)
    guard let first = values.first else { return nil }
    guard values.allSatisfy({ $0 == first }) else {
      throw QEMUSyntaxError(option, "'\(name)' is there twice; give it once")
    }
    return first
  }

  /// All values of a name that may be there several times.
  public mutating func takeAll(_ name: String) -> [String] {
    let values = fields.filter { $0.name == name }.map(\.value)
    fields.removeAll { $0.name == name }
    return values
  }

  /// The value of a name that has to be there.
  ///
  /// - Throws: ``QEMUSyntaxError`` where it is not.
  public mutating func need(_ name: String) throws(QEMUSyntaxError) -> String {
    guard let value = try take(name), !value.isEmpty else {
      throw QEMUSyntaxError(option, "'\(name)=' is missing; give it")
    }
    return value
  }

  /// A switch: `on`, `off` and their like.
  ///
  /// - Throws: ``QEMUSyntaxError`` for another word.
  public mutating func takeSwitch(_ name: String) throws(QEMUSyntaxError) -> Bool? {
    switch try take(name) {
    case nil: return nil
    case "on", "yes", "true", "y": return true
    case "off", "no", "false", "n": return false
    case let value?: throw QEMUSyntaxError(option, "'\(name)=\(value)' is neither on nor off; give one of them")
    }
  }

  /// A setting that may have some values and no other: what others would mean cannot be done.
  ///
  /// - Throws: ``QEMUSyntaxError`` for another value.
  public mutating func takeOnly(
    _ name: String,
    _ allowed: [String],
    otherwise reason: String
  ) throws(QEMUSyntaxError) {
    guard let value = try take(name), !allowed.contains(value) else { return }
    throw QEMUSyntaxError(option, "'\(name)=\(value)': \(reason)")
  }

  /// Nothing may be left.
  ///
  /// - Parameter known: what there is, for what is said.
  /// - Throws: ``QEMUSyntaxError`` that names the first that is.
  public func finish(known: String) throws(QEMUSyntaxError) {
    guard let first = fields.first else { return }
    throw QEMUSyntaxError(option, "'\(first.name)' is not there with Apus; there are \(known)")
  }
}
