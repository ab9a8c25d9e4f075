/// Paths and other words of the host, which may be any bytes but zero and need not be UTF-8.
///
/// A text stands for such a word: its UTF-8 where the word is that, and for each byte that is none a scalar at the end
/// of Unicode's last plane for private use, U+10FE00 and the byte. A word that has one of those scalars itself is taken
/// apart into such bytes, too, so that each word has one text and each of these texts one word.
package enum HostPath {
  /// The most bytes of a UNIX socket's path (unix(7): `sun_path` has 108, with the zero at its end).
  package static let socketLimit = 107
  private static let base: UInt32 = 0x10_FE00
  private static let escaped: ClosedRange<UInt32> = 0x10_FE80...0x10_FEFF
  /// The first byte in UTF-8 of what stands for bytes, and of no more than the last plane else.
  private static let lead: UInt8 = 0xF4

  /// The text that stands for these bytes, which are ASCII nearly always: then by none of what works for any
  /// collection, since its first use asks the Swift runtime for more than a start takes otherwise.
  @unsafe
  package static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    // SAFETY: the caller vouches for the bytes, of which none is looked at behind the last.
    for index in 0..<bytes.count where unsafe bytes[index] >= 0x80 { return unsafe text([UInt8](bytes)) }
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  /// The text that stands for these bytes.
  package static func text(_ bytes: some Collection<UInt8>) -> String {
    if !bytes.contains(lead), let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = String.UnicodeScalarView()
    var rest = bytes[...]
    var iterator = rest.makeIterator()
    var parser = Unicode.UTF8.ForwardParser()
    func append(raw bytes: some Collection<UInt8>) {
      for byte in bytes {
        // A byte below 0x80 is UTF-8 wherever it stands.
        if let scalar = Unicode.Scalar(byte < 0x80 ? UInt32(byte) : base + UInt32(byte)) { text.append(scalar) }
      }
    }
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        if escaped.contains(scalar.value) { append(raw: rest.prefix(encoded.count)) } else { text.append(scalar) }
        rest = rest.dropFirst(encoded.count)
      case .error(let length):
        append(raw: rest.prefix(length))
        rest = rest.dropFirst(length)
      case .emptyInput: return String(text)
      }
    }
  }

  /// The byte that a scalar stands for, if it stands for one.
  package static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
    escaped.contains(scalar.value) ? UInt8(scalar.value - base) : nil
  }

  /// Whether a text stands for its own UTF-8 and for nothing else.
  package static func isPlain(_ text: String) -> Bool { !text.unicodeScalars.contains { escaped.contains($0.value) } }

  /// The bytes that a text stands for, or nil where they are its UTF-8.
  fileprivate static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.contains(lead) else { return nil }
    return text.unicodeScalars.flatMap { scalar in
      byte(scalar).map { [$0] } ?? Array(Unicode.UTF8.encode(scalar) ?? .init())
    }
  }
}

extension String {
  /// Gives `body` the bytes of the path that this text stands for, ended with a zero. No path has a zero in it: for a
  /// text that has one they are those of the empty path, which leads nowhere.
  ///
  /// The pointer holds for the call.
  package func withHostPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    // SAFETY: every buffer ends with a zero and holds for the call.
    if utf8.contains(0) { return unsafe "".withCString(body) }
    guard let bytes = HostPath.bytes(self) else { return unsafe withCString(body) }
    return unsafe (bytes + [0]).withUnsafeBytes { buffer in
      unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
        guard let start = buffer.baseAddress else { preconditionFailure("the buffer has a zero at its end") }
        return unsafe body(start)
      }
    }
  }
}
