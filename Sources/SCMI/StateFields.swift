/// A part of a platform's state: what it consists of is said once, for reading and for writing.
///
/// The compiler's own `Codable` makes a type of keys for each structure, and one for each case of an enumeration, with
/// eleven conformances' functions each: 240 KB of program for a state.
protocol StateFields: Codable {
  /// Fields that have yet to be read.
  init()

  /// Shows each field to the visitor, which reads or writes it.
  ///
  /// - Throws: what the encoder or the decoder throws.
  mutating func visit(_ fields: inout StateVisitor) throws
}

extension StateFields {
  @inline(never)
  @_semantics("optimize.sil.specialize.generic.never")
  init(reading decoder: any Decoder) throws {
    self.init()
    var visitor = try StateVisitor(reading: decoder)
    try visit(&visitor)
  }

  @inline(never)
  @_semantics("optimize.sil.specialize.generic.never")
  func write(to encoder: any Encoder) throws {
    // Reading and writing are one function, which may change what it is called on.
    var written = self
    var visitor = StateVisitor(writing: encoder)
    try written.visit(&visitor)
  }

  // A public type says the same by itself.
  init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

/// The name of a field of any part of the state.
struct StateKey: CodingKey {
  let name: StaticString

  init(_ name: StaticString) {
    self.name = name
  }

  var stringValue: String { name.description }
  var intValue: Int? { nil }

  // Who reads a state asks for what it knows, and never for what there is.
  init?(stringValue: String) { nil }
  init?(intValue: Int) { nil }
}

/// Goes through the fields of a part of the state, and reads or writes each.
struct StateVisitor {
  private enum Way {
    case reading(KeyedDecodingContainer<StateKey>)
    case writing(KeyedEncodingContainer<StateKey>)
  }

  private var way: Way

  init(reading decoder: any Decoder) throws {
    way = .reading(try decoder.container(keyedBy: StateKey.self))
  }

  init(writing encoder: any Encoder) {
    way = .writing(encoder.container(keyedBy: StateKey.self))
  }

  // One function for all types, and not one for each: nothing waits for a state.

  @inline(never)
  @_semantics("optimize.sil.specialize.generic.never")
  mutating func callAsFunction<Value: Codable>(_ name: StaticString, _ value: inout Value) throws {
    switch way {
    case .reading(let container): value = try container.decode(Value.self, forKey: StateKey(name))
    case .writing(var container): try container.encode(value, forKey: StateKey(name))
    }
  }

  /// A field that is left out where it is `nil`.
  @inline(never)
  @_semantics("optimize.sil.specialize.generic.never")
  mutating func callAsFunction<Value: Codable>(_ name: StaticString, _ value: inout Value?) throws {
    switch way {
    case .reading(let container): value = try container.decodeIfPresent(Value.self, forKey: StateKey(name))
    case .writing(var container): try container.encodeIfPresent(value, forKey: StateKey(name))
    }
  }

  /// What was read cannot be.
  func invalid(_ name: StaticString, _ reason: String) -> any Error {
    guard case .reading(let container) = way else { preconditionFailure("what is written is one of its kind") }
    return DecodingError.dataCorruptedError(forKey: StateKey(name), in: container, debugDescription: reason)
  }
}
