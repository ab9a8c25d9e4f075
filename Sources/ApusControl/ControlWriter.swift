internal import Host

/// Writes JSON (RFC 8259) on one line.
public struct ControlWriter {
  /// What was written so far: UTF-8.
  public private(set) var bytes: [UInt8] = []
  /// Whether the next element or key comes behind another one.
  private var needsComma = false

  public init() {}

  private mutating func separate() {
    if needsComma { bytes.append(0x2C) }
    needsComma = true
  }

  /// Begins an object; keys and values follow in turns.
  public mutating func beginObject() {
    separate()
    bytes.append(0x7B)
    needsComma = false
  }

  /// Ends what ``beginObject()`` has begun.
  public mutating func endObject() {
    bytes.append(0x7D)
    needsComma = true
  }

  /// Begins an array; values follow.
  public mutating func beginArray() {
    separate()
    bytes.append(0x5B)
    needsComma = false
  }

  /// Ends what ``beginArray()`` has begun.
  public mutating func endArray() {
    bytes.append(0x5D)
    needsComma = true
  }

  /// Writes a key of an object; its value follows.
  public mutating func key(_ name: String) {
    string(name)
    bytes.append(0x3A)
    needsComma = false
  }

  /// Writes `null`.
  public mutating func null() { word("null") }

  /// Writes `true` or `false`.
  public mutating func boolean(_ value: Bool) { word(value ? "true" : "false") }

  /// Writes an integer.
  public mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    if value < 0 { bytes.append(0x2D) }
    var rest = UInt64(value.magnitude)
    let start = bytes.count
    repeat {
      bytes.append(0x30 + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  /// Writes a number; what is none in JSON is null.
  public mutating func number(_ value: Double) { word(value.isFinite ? "\(value)" : "null") }

  private mutating func word(_ text: String) {
    separate()
    bytes += text.utf8
  }

  /// Writes a string. What a terminal would act upon is escaped, and what nobody has a glyph for.
  public mutating func string(_ text: String) {
    separate()
    bytes.append(0x22)
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22: bytes += [0x5C, 0x22]
      case 0x5C: bytes += [0x5C, 0x5C]
      case 0x0A: bytes += [0x5C, 0x6E]
      case 0x0D: bytes += [0x5C, 0x72]
      case 0x09: bytes += [0x5C, 0x74]
      case 0x20..<0x7F: bytes.append(UInt8(scalar.value))
      default:
        if String.isPlain(scalar) {
          bytes += UTF8.encode(scalar) ?? .init()
        } else {
          for unit in UTF16.encode(scalar) ?? .init() { escape(unit) }
        }
      }
    }
    bytes.append(0x22)
  }

  private mutating func escape(_ unit: UInt16) {
    bytes += [0x5C, 0x75]
    for shift in [12, 8, 4, 0] as [UInt16] {
      let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
      bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  /// Writes what is JSON already.
  mutating func raw(_ text: some Sequence<UInt8>) {
    separate()
    bytes += text
  }
}
