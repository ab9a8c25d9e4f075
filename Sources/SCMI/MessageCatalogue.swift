/// What the tables of the protocols say about a header: names, fields, and where some of them are.
package enum MessageCatalogue {
  private static func rows(_ protocolIdentifier: UInt8) -> [(number: UInt8, row: MessageRow)] {
    // Vendor protocols have the messages that every protocol has.
    ProtocolIdentifier(rawValue: protocolIdentifier)?.rows
      ?? CommonMessage.allCases.map { (number: $0.rawValue, row: $0.row) }
  }

  private static func notificationRows(_ protocolIdentifier: UInt8) -> [(number: UInt8, row: NotificationRow)] {
    ProtocolIdentifier(rawValue: protocolIdentifier)?.notificationRows ?? []
  }

  /// The row of a command; `nil` for a notification and for what the specification does not have.
  package static func row(_ header: MessageHeader) -> MessageRow? {
    guard header.type != .notification else { return nil }
    return rows(header.protocolIdentifier).first { $0.number == header.message }?.row
  }

  /// The row of a notification; `nil` for all else.
  package static func notificationRow(_ header: MessageHeader) -> NotificationRow? {
    guard header.type == .notification else { return nil }
    return notificationRows(header.protocolIdentifier).first { $0.number == header.message }?.row
  }

  /// The specification's name, or protocol and message as numbers.
  package static func name(_ header: MessageHeader) -> String {
    if let name = row(header)?.name ?? notificationRow(header)?.name { return name.description }
    let kind = header.type == .notification ? "notification" : "message"
    return "protocol 0x\(String(header.protocolIdentifier, radix: 16)) \(kind) 0x\(String(header.message, radix: 16))"
  }

  /// The number of a message by its name.
  package static func number(_ protocolIdentifier: UInt8, _ name: String, isNotification: Bool = false) -> UInt8? {
    isNotification
      ? notificationRows(protocolIdentifier).first { $0.row.name.description == name }?.number
      : rows(protocolIdentifier).first { $0.row.name.description == name }?.number
  }

  /// The names of a protocol's messages, by number.
  package static func names(_ protocolIdentifier: UInt8, isNotification: Bool = false) -> [String] {
    isNotification
      ? notificationRows(protocolIdentifier).map(\.row.name.description)
      : rows(protocolIdentifier).map(\.row.name.description)
  }

  /// The fields of a message.
  ///
  /// - Parameter isRequest: whether it is an agent's command and no answer to one.
  /// - Returns: `nil` where the specification has no such message.
  package static func fields(_ header: MessageHeader, isRequest: Bool) -> [FieldDescription]? {
    if let row = notificationRow(header) { return row.fields.descriptions }
    guard let row = row(header) else { return nil }
    if isRequest { return row.request.descriptions }
    return header.type == .delayedResponse ? row.delayed?.descriptions ?? [] : row.reply.descriptions
  }

  /// Which payload word of a command names the resource.
  package static func resourceWord(_ header: MessageHeader) -> Int? {
    guard header.type != .notification else { return nil }
    if let row = row(header) { return row.request.layout.resource }
    // What the specification does not have would name it where most commands do.
    let identifier = ProtocolIdentifier(rawValue: header.protocolIdentifier)
    return ResourceKind.allCases.contains { $0.protocolIdentifier == identifier } ? 0 : nil
  }

  /// Which payload word of a reply, the status included, counts what remains, and from which bit on.
  package static func remaining(_ header: MessageHeader) -> (word: Int, shift: UInt32)? {
    row(header)?.reply.layout.remaining.map { (word: $0.word + 1, shift: $0.shift) }
  }
}

/// How a number is written in texts, and what it is.
package enum FieldFormat: Sendable, Equatable {
  case decimal
  case hexadecimal
  case signed
  case version
  /// Two words.
  case wide
  /// Two words with a sign.
  case signedWide
  /// So many bytes, up to a zero.
  case text(size: Int)

  /// In bytes.
  package var size: Int {
    switch self {
    case .decimal, .hexadecimal, .signed, .version: 4
    case .wide, .signedWide: 8
    case .text(let size): size
    }
  }
}

/// What a field of a message is called and how it is written.
package struct FieldDescription: Sendable {
  /// The specification's, in lower case.
  package let name: String
  /// How its number is written, and how many bytes it has.
  package let format: FieldFormat
  /// Whether there are more of its kind, to the end of the message.
  package let isRest: Bool

  package init(_ name: String, _ format: FieldFormat, isRest: Bool = false) {
    self.name = name
    self.format = format
    self.isRest = isRest
  }
}

/// Notes what the fields of a payload are.
package struct FieldLayout: FieldVisitor {
  /// What was noted so far, in the order of the wire.
  package private(set) var fields: [FieldDescription] = []
  /// The place of the word that names the resource.
  package private(set) var resource: Int?
  /// The place of the word that counts what remains, and the first of its bits.
  package private(set) var remaining: (word: Int, shift: UInt32)?
  private var place = 0

  private mutating func note(_ name: StaticString, _ format: FieldFormat, isRest: Bool = false) {
    fields.append(FieldDescription(name.description, format, isRest: isRest))
    place += format.size / 4
  }

  package mutating func word(_ name: StaticString, _ value: inout UInt32, _ format: FieldFormat) { note(name, format) }

  package mutating func resource(_ name: StaticString, _ value: inout UInt32) {
    resource = place
    note(name, .decimal)
  }

  package mutating func wide(_ name: StaticString, _ value: inout UInt64, _ format: FieldFormat) { note(name, format) }

  package mutating func text(_ name: StaticString, _ value: inout String, size: Int) { note(name, .text(size: size)) }

  package mutating func part(_ name: StaticString, _ value: inout PartCount, remainingFrom shift: UInt32) {
    remaining = (place, shift)
    note(name, .hexadecimal)
  }

  package mutating func optional(_ name: StaticString, _ value: inout UInt32?) { note(name, .decimal) }

  package mutating func rest<Entry: FieldEntry>(
    _ name: StaticString,
    _ values: inout [Entry],
    _ format: FieldFormat
  ) {
    note(name, format, isRest: true)
  }
}

extension MessageFields {
  /// What visiting an empty payload notes.
  package static var layout: FieldLayout {
    var layout = FieldLayout()
    var fields = Self()
    fields.visit(&layout)
    return layout
  }

  /// The fields in the order of the wire; a list's entry stands once.
  package static var descriptions: [FieldDescription] { layout.fields }
}
