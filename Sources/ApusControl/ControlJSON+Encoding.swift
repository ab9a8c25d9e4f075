extension ControlJSON {
  /// The JSON of a value that encodes itself.
  ///
  /// - Throws: what the value's own encoding throws.
  public init(encoding value: some Encodable) throws {
    let place = EncodedPlace()
    try value.encode(to: JSONTreeEncoder(place: place, codingPath: []))
    var writer = ControlWriter()
    place.write(to: &writer)
    self.init(text: String(decoding: writer.bytes, as: UTF8.self))
  }
}

/// A place in the tree of what was encoded.
private final class EncodedPlace {
  enum Content {
    case null
    case plain(any ControlValue)
    case array([EncodedPlace])
    case object([(key: String, place: EncodedPlace)])
  }

  var content = Content.null

  func write(to writer: inout ControlWriter) {
    switch content {
    case .null: writer.null()
    case .plain(let value): value.write(to: &writer)
    case .array(let elements):
      writer.beginArray()
      for element in elements { element.write(to: &writer) }
      writer.endArray()
    case .object(let members):
      writer.beginObject()
      for member in members {
        writer.key(member.key)
        member.place.write(to: &writer)
      }
      writer.endObject()
    }
  }

  func element() -> EncodedPlace {
    let element = EncodedPlace()
    guard case .array(let elements) = content else { preconditionFailure("elements go into an array") }
    content = .array(elements + [element])
    return element
  }

  func member(_ key: String) -> EncodedPlace {
    let member = EncodedPlace()
    guard case .object(let members) = content else { preconditionFailure("members go into an object") }
    content = .object(members + [(key, member)])
    return member
  }

  func put(_ value: some Encodable, _ path: [any CodingKey]) throws {
    if let value = value as? any ControlValue {
      content = .plain(value)
    } else if let value = value as? any BinaryInteger {
      guard let number = Int64(exactly: value) else {
        throw EncodingError.invalidValue(value, .init(codingPath: path, debugDescription: "the integer is too large"))
      }
      content = .plain(number)
    } else {
      try value.encode(to: JSONTreeEncoder(place: self, codingPath: path))
    }
  }
}

private struct JSONTreeEncoder: Encoder {
  let place: EncodedPlace
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .object = place.content {} else { place.content = .object([]) }
    return KeyedEncodingContainer(KeyedPlace(place: place, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    place.content = .array([])
    return UnkeyedPlace(place: place, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    SinglePlace(place: place, codingPath: codingPath)
  }
}

private struct KeyedPlace<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let place: EncodedPlace
  let codingPath: [any CodingKey]

  func encodeNil(forKey key: Key) { _ = place.member(key.stringValue) }

  func encode(_ value: some Encodable, forKey key: Key) throws {
    try place.member(key.stringValue).put(value, codingPath + [key])
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type,
    forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    JSONTreeEncoder(place: place.member(key.stringValue), codingPath: codingPath + [key]).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    JSONTreeEncoder(place: place.member(key.stringValue), codingPath: codingPath + [key]).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { JSONTreeEncoder(place: place.member("super"), codingPath: codingPath) }

  func superEncoder(forKey key: Key) -> any Encoder {
    JSONTreeEncoder(place: place.member(key.stringValue), codingPath: codingPath + [key])
  }
}

private struct UnkeyedPlace: UnkeyedEncodingContainer {
  let place: EncodedPlace
  let codingPath: [any CodingKey]

  var count: Int { if case .array(let elements) = place.content { elements.count } else { 0 } }

  func encodeNil() { _ = place.element() }

  func encode(_ value: some Encodable) throws { try place.element().put(value, codingPath) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    JSONTreeEncoder(place: place.element(), codingPath: codingPath).container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    JSONTreeEncoder(place: place.element(), codingPath: codingPath).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { JSONTreeEncoder(place: place.element(), codingPath: codingPath) }
}

private struct SinglePlace: SingleValueEncodingContainer {
  let place: EncodedPlace
  let codingPath: [any CodingKey]

  func encodeNil() { place.content = .null }

  func encode(_ value: some Encodable) throws { try place.put(value, codingPath) }
}
