/// Reads the fields of a payload.
struct FieldReader: FieldVisitor {
  private let message: SCMIMessage
  /// The next word's place.
  private(set) var place: Int

  /// - Parameter start: the place of the first field's word.
  @inline(__always)
  init(_ message: SCMIMessage, from start: Int = 0) {
    self.message = message
    place = start
  }

  @inline(__always)
  mutating func word(_ name: StaticString, _ value: inout UInt32, _ format: FieldFormat) {
    value = message[word: place]
    place += 1
  }

  @inline(__always)
  mutating func resource(_ name: StaticString, _ value: inout UInt32) { word(name, &value, .decimal) }

  @inline(__always)
  mutating func wide(_ name: StaticString, _ value: inout UInt64, _ format: FieldFormat) {
    value = message[pair: place]
    place += 2
  }

  mutating func text(_ name: StaticString, _ value: inout String, size: Int) {
    var bytes: [UInt8] = []
    for offset in 0..<size {
      bytes.append(UInt8(truncatingIfNeeded: message[word: place + offset / 4] >> (8 * UInt32(offset & 3))))
    }
    value = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    place += size / 4
  }

  mutating func part(_ name: StaticString, _ value: inout PartCount, remainingFrom shift: UInt32) {
    value = PartCount(word: message[word: place], remainingFrom: shift)
    place += 1
  }

  @inline(__always)
  mutating func optional(_ name: StaticString, _ value: inout UInt32?) {
    guard message.count > 4 * place else { return }
    value = message[word: place]
    place += 1
  }

  mutating func rest<Entry: FieldEntry>(_ name: StaticString, _ values: inout [Entry], _ format: FieldFormat) {
    while 4 * (place + Entry.size) <= message.count {
      values.append(Entry(words: Entry.size == 1 ? UInt64(message[word: place]) : message[pair: place]))
      place += Entry.size
    }
  }
}

extension SCMIMessage {
  /// The payload of a request as its fields.
  ///
  /// - Throws: PROTOCOL_ERROR for any other payload length: that is how SCP-firmware judges it too.
  @inline(__always)
  package func fields<Fields: MessageFields>(_ type: Fields.Type = Fields.self) throws(SCMIStatus) -> Fields {
    var fields = Fields()
    var reader = FieldReader(self)
    fields.visit(&reader)
    guard count == 4 * reader.place else { throw .protocolError }
    return fields
  }

  /// A message with a payload of fields, for tests and tools.
  package init(header: MessageHeader, _ fields: some MessageFields) {
    self.init(header: header)
    append(fields)
  }

  /// Appends fields.
  ///
  /// - Precondition: there is room and the payload's length is a multiple of four.
  @inline(__always)
  mutating func append(_ fields: some MessageFields) {
    var fields = fields
    fields.visit(&self)
  }
}

/// A message writes fields behind what it holds.
extension SCMIMessage: FieldVisitor {
  @inline(__always)
  package mutating func word(_ name: StaticString, _ value: inout UInt32, _ format: FieldFormat) { append(value) }

  @inline(__always)
  package mutating func resource(_ name: StaticString, _ value: inout UInt32) { append(value) }

  @inline(__always)
  package mutating func wide(_ name: StaticString, _ value: inout UInt64, _ format: FieldFormat) { append(value) }

  package mutating func text(_ name: StaticString, _ value: inout String, size: Int) {
    append(name: value, size: size)
  }

  package mutating func part(_ name: StaticString, _ value: inout PartCount, remainingFrom shift: UInt32) {
    append(value.word(remainingFrom: shift))
  }

  package mutating func optional(_ name: StaticString, _ value: inout UInt32?) {
    if let value { append(value) }
  }

  package mutating func rest<Entry: FieldEntry>(
    _ name: StaticString,
    _ values: inout [Entry],
    _ format: FieldFormat
  ) {
    for value in values {
      if Entry.size == 1 { append(UInt32(truncatingIfNeeded: value.words)) } else { append(value.words) }
    }
  }
}

extension PartCount {
  /// Bit 12, below all counts of what remains.
  private static var rangeFlag: UInt32 { 1 << 12 }
  private static var returnedMask: UInt32 { rangeFlag - 1 }

  init(word: UInt32, remainingFrom shift: UInt32) {
    self.init()
    returned = word & Self.returnedMask
    isRange = word & Self.rangeFlag != 0
    remaining = word >> shift
  }

  func word(remainingFrom shift: UInt32) -> UInt32 {
    returned & Self.returnedMask | (isRange ? Self.rangeFlag : 0) | min(remaining, .max >> shift) << shift
  }
}
