/// Bytes of an image that were read for inspection; little-endian fields are looked up by their offset.
///
/// A field that does not lie wholly inside is `nil`: nothing here trusts the image.
struct ImageBytes: Equatable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var count: Int { bytes.count }

  func field<Field: FixedWidthInteger & UnsignedInteger>(_ type: Field.Type, at offset: Int) -> Field? {
    let size = MemoryLayout<Field>.size
    guard offset >= 0, bytes.count >= size, offset <= bytes.count - size else { return nil }
    var value: Field = 0
    for index in (offset..<offset + size).reversed() {
      value = value << 8 | Field(bytes[index])
    }
    return value
  }

  /// Whether `signature` stands at `offset`.
  func has(_ signature: [UInt8], at offset: Int = 0) -> Bool {
    guard bytes.count >= signature.count, offset <= bytes.count - signature.count else { return false }
    return bytes[offset..<offset + signature.count].elementsEqual(signature)
  }

  /// Whether the ASCII text stands at `offset`.
  func has(_ text: String, at offset: Int = 0) -> Bool {
    has([UInt8](text.utf8), at: offset)
  }

  /// The text from `offset` up to a zero byte or `limit` bytes, whichever comes first.
  func text(at offset: Int, limit: Int) -> String {
    let end = min(offset + limit, bytes.count)
    guard offset < end else { return "" }
    return printable(bytes[offset..<end].prefix { $0 != 0 })
  }
}

/// The bytes as ASCII with everything that a terminal could act on replaced.
func printable(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: bytes.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
}

/// `left + right`, or the largest number where that is more.
func saturatingSum(_ left: UInt64, _ right: UInt64) -> UInt64 {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? .max : sum
}
