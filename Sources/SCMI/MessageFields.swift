/// The fields of a payload: a structure for each request, reply, delayed response and notification.
///
/// ``visit(_:)`` is the one place that says which fields there are and in which order: a payload's size, how it is read
/// and written, which word of it names a resource, and what a transcript calls its fields all come from there.
package protocol MessageFields: Sendable {
  /// All fields zero or empty.
  init()

  /// Shows each field to a visitor, in the order of the wire.
  mutating func visit(_ fields: inout some FieldVisitor)
}

extension MessageFields {
  /// In bytes.
  func size() -> Int {
    var message = SCMIMessage(header: MessageHeader(rawValue: 0))
    message.append(self)
    return message.count
  }

  /// What `configure` leaves alone is zero or empty.
  @inline(__always)
  package init(_ configure: (inout Self) -> Void) {
    self.init()
    configure(&self)
  }
}

/// What goes through the fields of a payload: it reads them, writes them, or notes what they are.
///
/// `name` is the specification's. Numbers are decimal in texts unless `format` says otherwise.
package protocol FieldVisitor {
  /// One word.
  mutating func word(_ name: StaticString, _ value: inout UInt32, _ format: FieldFormat)
  /// The identifier of the resource that the message is about.
  mutating func resource(_ name: StaticString, _ value: inout UInt32)
  /// Two words, the low one first.
  mutating func wide(_ name: StaticString, _ value: inout UInt64, _ format: FieldFormat)
  /// A text that ends with a zero, in a field of `size` bytes.
  mutating func text(_ name: StaticString, _ value: inout String, size: Int)
  /// How many entries follow and how many remain, these from bit `shift` on.
  mutating func part(_ name: StaticString, _ value: inout PartCount, remainingFrom shift: UInt32)
  /// A word that only some versions have.
  mutating func optional(_ name: StaticString, _ value: inout UInt32?)
  /// Entries to the end of the message.
  mutating func rest<Entry: FieldEntry>(_ name: StaticString, _ values: inout [Entry], _ format: FieldFormat)
}

extension FieldVisitor {
  /// One word, decimal in texts.
  @inline(__always)
  package mutating func word(_ name: StaticString, _ value: inout UInt32) { word(name, &value, .decimal) }

  /// One word with a sign, in two's complement.
  @inline(__always)
  package mutating func signed(_ name: StaticString, _ value: inout Int32) {
    var word = UInt32(bitPattern: value)
    self.word(name, &word, .signed)
    value = Int32(bitPattern: word)
  }

  /// Two words, the low one first, decimal in texts.
  @inline(__always)
  package mutating func wide(_ name: StaticString, _ value: inout UInt64) { wide(name, &value, .wide) }

  /// Two words with a sign, in two's complement, the low one first.
  @inline(__always)
  package mutating func signedWide(_ name: StaticString, _ value: inout Int64) {
    var wide = UInt64(bitPattern: value)
    self.wide(name, &wide, .signedWide)
    value = Int64(bitPattern: wide)
  }

  /// A word whose bits have names.
  @inline(__always)
  package mutating func flags<Flags: FieldWord>(
    _ name: StaticString,
    _ value: inout Flags,
    _ format: FieldFormat = .hexadecimal
  ) {
    var word = value.rawValue
    self.word(name, &word, format)
    value = Flags(rawValue: word)
  }
}

/// A word that has parts.
package protocol FieldWord: RawRepresentable<UInt32>, Sendable {
  init(rawValue: UInt32)
}

/// A word of flags, which is said as a set of them.
///
/// The standard library's `OptionSet` has twenty functions more for each such type, none of which is needed here.
package protocol FieldFlags: FieldWord, Equatable, ExpressibleByArrayLiteral where ArrayLiteralElement == Self {
  /// Those that the specification has: the other bits must be zero.
  static var defined: Self { get }
}

extension FieldFlags {
  /// All of the flags together.
  @inline(__always)
  package init(arrayLiteral flags: Self...) {
    self.init(rawValue: flags.reduce(0) { $0 | $1.rawValue })
  }

  /// Whether all of `flags` are set.
  @inline(__always)
  package func contains(_ flags: Self) -> Bool { rawValue & flags.rawValue == flags.rawValue }

  /// Sets `flags`, too.
  @inline(__always)
  package mutating func insert(_ flags: Self) { self = Self(rawValue: rawValue | flags.rawValue) }

  /// - Throws: INVALID_PARAMETERS where a bit is set that must be zero.
  @inline(__always)
  package func expectDefined() throws(SCMIStatus) {
    guard rawValue & ~Self.defined.rawValue == 0 else { throw .invalidParameters }
  }
}

/// How many entries a part of a list has and how many remain for others.
package struct PartCount: Sendable, Equatable {
  /// How many entries follow.
  package var returned: UInt32 = 0
  /// What does not fit into its field is shown as the most that does.
  package var remaining: UInt32 = 0
  /// The entries are lowest, highest and step, and not a list.
  package var isRange = false

  package init() {}

  /// - Parameters:
  ///   - returned: how many follow.
  ///   - total: how many there are.
  ///   - first: the index of the first that follows.
  package init(returned: Int, of total: Int, from first: UInt32) {
    self.returned = UInt32(returned)
    remaining = UInt32(clamping: total - Int(first) - returned)
  }

  /// Three entries: lowest, highest and step.
  package static var range: PartCount {
    var count = PartCount()
    count.returned = 3
    count.isRange = true
    return count
  }
}

/// What an element of a list can be.
package protocol FieldEntry: Sendable {
  init(words: UInt64)
  /// Its one or two words as one number, the low one first.
  var words: UInt64 { get }
  /// In words, 1 or 2.
  static var size: Int { get }
}

extension UInt32: FieldEntry {
  package init(words: UInt64) { self.init(truncatingIfNeeded: words) }
  package var words: UInt64 { UInt64(self) }
  package static var size: Int { 1 }
}

extension Int32: FieldEntry {
  package init(words: UInt64) { self.init(truncatingIfNeeded: words) }
  package var words: UInt64 { UInt64(UInt32(bitPattern: self)) }
  package static var size: Int { 1 }
}

extension UInt64: FieldEntry {
  package init(words: UInt64) { self = words }
  package var words: UInt64 { self }
  package static var size: Int { 2 }
}

extension Int64: FieldEntry {
  package init(words: UInt64) { self.init(bitPattern: words) }
  package var words: UInt64 { UInt64(bitPattern: self) }
  package static var size: Int { 2 }
}

// MARK: - Structures that several protocols have

/// A payload of nothing.
package struct NoFields: MessageFields {
  package init() {}

  package mutating func visit(_ fields: inout some FieldVisitor) {}
}

/// A protocol whose messages are about resources.
package protocol ResourceProtocol {
  /// What the specification calls the field that names one.
  static var resourceField: StaticString { get }
}

// Of the following generic structures it is the conformance that wants a protocol of resources, and not the structure:
// else the runtime finds out by name, in all that is linked in, whether each protocol is one (90,000 instructions).

/// A resource and nothing else.
package struct ResourceFields<Owner>: Sendable {
  /// The agent's identifier for it.
  package var resource: UInt32 = 0

  package init() {}
}

extension ResourceFields: MessageFields where Owner: ResourceProtocol {
  @inline(__always)
  package mutating func visit(_ fields: inout some FieldVisitor) {
    fields.resource(Owner.resourceField, &resource)
  }
}

/// Notifications about a resource, wanted or not.
package struct NotifyFields<Owner>: Sendable {
  /// The agent's identifier for it.
  package var resource: UInt32 = 0
  /// Whether notifications are wanted.
  package var enable: NotifyEnable = []

  package init() {}
}

extension NotifyFields: MessageFields where Owner: ResourceProtocol {
  package mutating func visit(_ fields: inout some FieldVisitor) {
    fields.resource(Owner.resourceField, &resource)
    fields.flags("notify_enable", &enable, .decimal)
  }
}

/// Whether notifications are wanted.
package struct NotifyEnable: FieldFlags {
  package let rawValue: UInt32

  package init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// They are wanted.
  package static var enabled: Self { Self(rawValue: 1) }

  package static var defined: Self { .enabled }
}

/// A word of flags of which none has a meaning yet.
package struct NoFlags: FieldFlags {
  package let rawValue: UInt32

  package init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  package static var defined: Self { [] }
}

/// The reply to a command that asks for a name that is longer than ``MessageFieldSize/shortName``.
package struct NameFields: MessageFields {
  /// Must be zero.
  package var flags: NoFlags = []
  /// At most 63 bytes.
  package var name = ""

  package init() {}

  package mutating func visit(_ fields: inout some FieldVisitor) {
    fields.flags("flags", &flags)
    fields.text("name", &name, size: MessageFieldSize.longName)
  }
}

/// Where the fast channel of one of a resource's messages is.
package struct DescribeFastChannelFields<Owner>: Sendable {
  /// The agent's identifier for it.
  package var resource: UInt32 = 0
  /// The number of the message that the channel would stand for.
  package var message: UInt32 = 0

  package init() {}
}

extension DescribeFastChannelFields: MessageFields where Owner: ResourceProtocol {
  package mutating func visit(_ fields: inout some FieldVisitor) {
    fields.resource(Owner.resourceField, &resource)
    fields.word("message_id", &message)
  }
}

/// The reply to a command that asks for a fast channel. None is offered, so its words have no names.
package struct FastChannelFields: MessageFields {
  /// As they come.
  package var values: [UInt32] = []

  package init() {}

  package mutating func visit(_ fields: inout some FieldVisitor) {
    fields.rest("values", &values, .hexadecimal)
  }
}

/// Sizes of fields in bytes, the zero at the end of a text included.
package enum MessageFieldSize {
  /// Of a name in a resource's attributes.
  package static var shortName: Int { 16 }
  /// Of a name in the reply to a command that asks for it alone.
  package static var longName: Int { 64 }
}

extension String {
  /// Whether a field of ``MessageFieldSize/shortName`` cuts it.
  var isLongName: Bool { utf8.count >= MessageFieldSize.shortName }
}
