// How a configuration is coded: an object's keys are the properties' names; a case of an enumeration is a word where it
// has no values, and an object with one key, the case's name, where it has some.

import Snapshot

/// A key of a coded configuration: there is one such type for all, since each costs the program a copy of the coder's
/// generic code.
struct CodedKey: CodingKey, ExpressibleByStringLiteral {
  let stringValue: String

  var intValue: Int? { nil }

  init(stringValue: String) {
    self.stringValue = stringValue
  }

  init?(intValue: Int) {
    nil
  }

  init(stringLiteral value: String) {
    stringValue = value
  }
}

/// An object that is decoded: a key that is missing stands for the default, and one that is unknown is a mistake of
/// whoever wrote it.
struct CodedObject {
  /// Nil stands for an object without keys.
  private let container: KeyedDecodingContainer<CodedKey>?
  private let codingPath: [any CodingKey]
  private let names: [String]

  /// - Throws: `DecodingError` for a key that is none of `keys`, with its path.
  init(_ decoder: any Decoder, keys: [String]) throws {
    let container = try decoder.container(keyedBy: CodedKey.self)
    self.container = container
    codingPath = decoder.codingPath
    // The first by name, since a decoder has them in any order.
    names = try StateCoding.memberNames(of: decoder) ?? container.allKeys.map(\.stringValue)
    let unknown = names.filter { !keys.contains($0) }.min()
    guard let unknown else { return }
    let known = keys.isEmpty ? "it has none" : "give \(keys.joined(separator: ", "))"
    throw DecodingError.mistake("there is no such key; \(known)", at: codingPath + [CodedKey(stringValue: unknown)])
  }

  /// An object without keys.
  fileprivate init(emptyAt codingPath: [any CodingKey]) {
    container = nil
    self.codingPath = codingPath
    names = []
  }

  /// Sets `value` where the key is there.
  func read<Value: Decodable>(_ key: CodedKey, into value: inout Value) throws {
    if let read = try container?.decodeIfPresent(Value.self, forKey: key) { value = read }
  }

  /// The value of a key that has no default.
  func value<Value: Decodable>(_ key: CodedKey) throws -> Value {
    guard let container, container.contains(key) else {
      throw DecodingError.mistake("is missing; it has no default", at: codingPath + [key])
    }
    return try container.decode(Value.self, forKey: key)
  }

  /// Sets `value` where the key is there, to the case that it names.
  func read<Value: RawRepresentable<String> & CaseIterable>(_ key: CodedKey, into value: inout Value) throws {
    if let word = try container?.decodeIfPresent(String.self, forKey: key) { value = try choice(word, key) }
  }

  /// The case that a key without a default names.
  func value<Value: RawRepresentable<String> & CaseIterable>(_ key: CodedKey) throws -> Value {
    try choice(try value(key) as String, key)
  }

  private func choice<Value: RawRepresentable<String> & CaseIterable>(_ word: String, _ key: CodedKey) throws -> Value {
    guard let value = Value(rawValue: word) else {
      throw DecodingError.noChoice(word, Value.allCases.map(\.rawValue), at: codingPath + [key])
    }
    return value
  }

  /// The decoder of a key that is there, or nil.
  func decoder(_ key: CodedKey) throws -> (any Decoder)? {
    guard let container, container.contains(key) else { return nil }
    return try container.superDecoder(forKey: key)
  }

  /// Which of `keys` is there, of which there has to be exactly one.
  func onlyKey(of keys: [String]) throws -> String {
    let given = names.filter(keys.contains)
    guard let key = given.first, given.count == 1 else {
      throw DecodingError.mistake("has \(given.count) of \(keys.joined(separator: ", ")); give one", at: codingPath)
    }
    return key
  }
}

/// A case of an enumeration that is decoded.
struct CodedCase {
  /// The case's name.
  let name: String
  private let decoder: any Decoder
  private let object: CodedObject?

  /// - Throws: `DecodingError` where it is none of `names`.
  init(_ decoder: any Decoder, names: [String]) throws {
    self.decoder = decoder
    guard let word = try? decoder.singleValueContainer().decode(String.self) else {
      let object = try CodedObject(decoder, keys: names)
      self.object = object
      name = try object.onlyKey(of: names)
      return
    }
    guard names.contains(word) else {
      throw DecodingError.noChoice(word, names, at: decoder.codingPath)
    }
    object = nil
    name = word
  }

  /// The case's values by their names.
  func values(_ keys: [String] = []) throws -> CodedObject {
    let key = CodedKey(stringValue: name)
    guard let object, let decoder = try object.decoder(key) else {
      return CodedObject(emptyAt: decoder.codingPath + [key])
    }
    return try CodedObject(decoder, keys: keys)
  }
}

extension Encoder {
  /// Encodes a case without values.
  func encode(case name: String) throws {
    var container = singleValueContainer()
    try container.encode(name)
  }

  /// Encodes a case with values.
  func encode(
    case name: String,
    values: (inout KeyedEncodingContainer<CodedKey>) throws -> Void
  ) throws {
    var container = container(keyedBy: CodedKey.self)
    var nested = container.nestedContainer(keyedBy: CodedKey.self, forKey: CodedKey(stringValue: name))
    try values(&nested)
  }
}

extension DecodingError {
  /// A mistake in what is decoded; its description starts with the path.
  static func mistake(_ text: String, at path: [any CodingKey]) -> DecodingError {
    var place = ""
    for key in path {
      if let index = key.intValue {
        place += "[\(index)]"
      } else {
        place += (place.isEmpty ? "" : ".") + key.stringValue
      }
    }
    return .dataCorrupted(Context(codingPath: path, debugDescription: place.isEmpty ? text : "\(place): \(text)"))
  }
}

extension DecodingError {
  /// A word that is none of an enumeration's.
  fileprivate static func noChoice(_ word: String, _ names: [String], at path: [any CodingKey]) -> DecodingError {
    let quoted = names.map { "'\($0)'" }
    let others = quoted.dropLast().joined(separator: ", ")
    return mistake("takes \(others) or \(quoted.last ?? "nothing"), not '\(word)'", at: path)
  }
}

/// A number of bytes, with the unit as its key.
struct CodedByteCount: Codable {
  var count: UInt64

  init(_ count: UInt64) {
    self.count = count
  }

  init(from decoder: any Decoder) throws {
    count = try CodedObject(decoder, keys: ["bytes"]).value("bytes")
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(count, forKey: "bytes")
  }
}

/// A duration to the last attosecond, with the units as keys; whole seconds without the second one.
struct CodedDuration: Codable {
  var duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: ["seconds", "attoseconds"])
    var (seconds, attoseconds): (Int64, Int64) = (0, 0)
    try object.read("seconds", into: &seconds)
    try object.read("attoseconds", into: &attoseconds)
    duration = Duration(secondsComponent: seconds, attosecondsComponent: attoseconds)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(duration.components.seconds, forKey: "seconds")
    if duration.components.attoseconds != 0 {
      try container.encode(duration.components.attoseconds, forKey: "attoseconds")
    }
  }
}
