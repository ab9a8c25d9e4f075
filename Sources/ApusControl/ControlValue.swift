public import PositionedJSON

/// A value that goes over the control socket.
public protocol ControlValue: Sendable {
  /// What it looks like.
  static var schema: ControlSchema { get }
  /// What stands for a key that is not there; nil where it has to be.
  static var absent: Self? { get }
  /// Whether it is what a key that is not there stands for: then it is not written.
  var isAbsent: Bool { get }

  /// Reads it.
  ///
  /// - Parameters:
  ///   - json: what stands there.
  ///   - path: where, for messages.
  /// - Throws: ``ControlError`` for what is no such value.
  init(_ json: JSONValue, at path: ControlPath) throws(ControlError)

  /// Writes it.
  func write(to writer: inout ControlWriter)
}

extension ControlValue {
  public static var absent: Self? { nil }
  public var isAbsent: Bool { false }
}

/// Where in the parameters or the result something stands.
public struct ControlPath: Sendable {
  /// As `memory.blocks[2]`; empty for the whole.
  public let text: String
  /// Whether keys that nobody knows are passed over: the other side may be newer.
  let isLenient: Bool

  /// A request's parameters as a whole, where each key has to be known.
  package static let parameters = ControlPath(text: "", isLenient: false)
  /// An answer as a whole.
  package static let answer = ControlPath(text: "", isLenient: true)

  func key(_ name: String) -> ControlPath {
    ControlPath(text: text.isEmpty ? name : "\(text).\(name)", isLenient: isLenient)
  }

  func element(_ index: Int) -> ControlPath { ControlPath(text: "\(text)[\(index)]", isLenient: isLenient) }

  func wrong(_ json: JSONValue, _ wanted: String) -> ControlError {
    ControlError(.invalidParameters, "\(text.isEmpty ? "params" : text): \(json.summary) is no \(wanted)")
  }
}

extension Bool: ControlValue {
  public static var schema: ControlSchema { .boolean }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let value = json.boolean else { throw path.wrong(json, "boolean; give true or false") }
    self = value
  }

  public func write(to writer: inout ControlWriter) { writer.boolean(self) }
}

extension String: ControlValue {
  public static var schema: ControlSchema { .string }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let value = json.string else { throw path.wrong(json, "string") }
    self = value
  }

  public func write(to writer: inout ControlWriter) { writer.string(self) }
}

extension Double: ControlValue {
  public static var schema: ControlSchema { .number }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let value = json.double else { throw path.wrong(json, "number") }
    self = value
  }

  public func write(to writer: inout ControlWriter) { writer.number(self) }
}

/// A whole number that goes over the control socket.
public protocol ControlInteger: ControlValue, FixedWidthInteger {}

extension ControlInteger {
  public static var schema: ControlSchema {
    .integer(minimum: Int64(truncatingIfNeeded: Self.min), maximum: UInt64(Self.max))
  }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let value = json.integer(Self.self) else {
      throw path.wrong(json, "whole number from \(Self.min) to \(Self.max)")
    }
    self = value
  }

  public func write(to writer: inout ControlWriter) { writer.integer(self) }
}

extension Int: ControlInteger {}
extension Int32: ControlInteger {}
extension Int64: ControlInteger {}
extension UInt8: ControlInteger {}
extension UInt32: ControlInteger {}
extension UInt64: ControlInteger {}

extension Optional: ControlValue where Wrapped: ControlValue {
  public static var schema: ControlSchema { .optional(Wrapped.schema) }
  public static var absent: Self? { .some(nil) }
  public var isAbsent: Bool { if case nil = self { true } else { false } }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    if case .null = json.content { self = nil } else { self = try Wrapped(json, at: path) }
  }

  public func write(to writer: inout ControlWriter) {
    if let self { self.write(to: &writer) } else { writer.null() }
  }
}

extension Array: ControlValue where Element: ControlValue {
  public static var schema: ControlSchema { .array(Element.schema) }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let elements = json.array else { throw path.wrong(json, "array") }
    var values: [Element] = []
    for (index, element) in elements.enumerated() { values.append(try Element(element, at: path.element(index))) }
    self = values
  }

  public func write(to writer: inout ControlWriter) {
    writer.beginArray()
    for element in self { element.write(to: &writer) }
    writer.endArray()
  }
}

/// A value that is one of some words.
public protocol ControlEnumeration: ControlValue, RawRepresentable, CaseIterable where RawValue == String {}

extension ControlEnumeration {
  public static var schema: ControlSchema { .enumeration(allCases.map(\.rawValue)) }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let word = json.string, let value = Self(rawValue: word) else {
      let words = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw path.wrong(json, "word that is known here; give \(words)")
    }
    self = value
  }

  public func write(to writer: inout ControlWriter) { writer.string(rawValue) }
}

/// JSON that is handed on as it is.
public struct ControlJSON: ControlValue, Equatable {
  /// Its text, on one line.
  public let text: String

  public static var schema: ControlSchema { .any }

  /// - Parameter text: JSON; nobody checks it.
  public init(text: String) {
    self.text = text
  }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    var writer = ControlWriter()
    Self.write(json, to: &writer)
    text = String(decoding: writer.bytes, as: UTF8.self)
  }

  public func write(to writer: inout ControlWriter) { writer.raw(text.utf8) }

  /// A text as a string of JSON.
  public static func quoted(_ text: String) -> String {
    var writer = ControlWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// Writes what was read.
  static func write(_ json: JSONValue, to writer: inout ControlWriter) {
    switch json.content {
    case .null: writer.null()
    case .boolean(let value): writer.boolean(value)
    case .number(let digits): writer.raw(digits.utf8)
    case .string(let text): writer.string(text)
    case .array(let elements):
      writer.beginArray()
      for element in elements { write(element, to: &writer) }
      writer.endArray()
    case .object(let members):
      writer.beginObject()
      for member in members {
        writer.key(member.key)
        write(member.value, to: &writer)
      }
      writer.endObject()
    }
  }
}
