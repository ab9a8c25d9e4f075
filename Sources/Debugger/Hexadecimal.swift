/// Numbers and bytes as the protocol writes them.
enum Hexadecimal {
  /// A digit's value.
  static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The digit of a value below 16.
  static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// Two digits a byte.
  static func append(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 0xF))
    }
  }

  /// A number, the highest digit first and none too many.
  static func append(_ number: some FixedWidthInteger & UnsignedInteger, to text: inout [UInt8]) {
    text += Array(String(number, radix: 16).utf8)
  }

  /// The bytes that an even number of digits stands for.
  static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var index = text.startIndex
    while index < text.endIndex {
      guard let high = value(text[index]), let low = value(text[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
      index += 2
    }
    return bytes
  }
}

/// A packet's text that is read from its front.
struct PacketText {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) {
    rest = bytes
  }

  var isEmpty: Bool { rest.isEmpty }

  /// Takes a text off the front, where it stands there.
  mutating func take(_ text: StaticString) -> Bool {
    // SAFETY: the buffer is that of a constant, and is used for the call alone.
    let isThere = text.withUTF8Buffer { unsafe rest.starts(with: $0) }
    if isThere { rest = rest.dropFirst(text.utf8CodeUnitCount) }
    return isThere
  }

  /// Takes one character.
  mutating func takeByte() -> UInt8? { rest.popFirst() }

  /// Takes a hexadecimal number, of which one digit has to be there and which has to fit.
  mutating func takeNumber() -> UInt64? {
    var number: UInt64 = 0
    var count = 0
    while let first = rest.first, let digit = Hexadecimal.value(first) {
      guard number >> 60 == 0 else { return nil }
      number = number << 4 | UInt64(digit)
      count += 1
      rest = rest.dropFirst()
    }
    return count > 0 ? number : nil
  }

  /// Takes all as far as a character, and that character where it is there.
  mutating func takeText(upTo end: UInt8) -> ArraySlice<UInt8> {
    let text = rest.prefix { $0 != end }
    rest = rest.dropFirst(text.count + 1)
    return text
  }
}
