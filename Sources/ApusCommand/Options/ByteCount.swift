/// A number of bytes as people write it: `512M`, `2G`, `1536MiB`.
///
/// A whole number and a unit, a power of 1024: K, M, G or T, each also with B or iB behind it, in either case, or B for
/// single bytes. Without a unit the number counts MiB, as it does for other virtual machine monitors.
struct ByteCount: WrittenValue {
  /// How many bytes they are.
  let bytes: UInt64

  /// A number of bytes.
  init(_ bytes: UInt64) {
    self.bytes = bytes
  }

  /// - Returns: nil where the text is of another form, or more than a number of 64 bits holds.
  init?(_ text: String) {
    guard let (digits, rest) = text.leadingDigits(), let number = UInt64(digits) else { return nil }
    let shift: UInt64
    // All ASCII, of which letters alone become letters by this bit. What works for all of Unicode costs a start much.
    switch String(decoding: rest.utf8.map { $0 | 0x20 }, as: UTF8.self) {
    case "b": shift = 0
    case "k", "kb", "kib": shift = 10
    case "", "m", "mb", "mib": shift = 20
    case "g", "gb", "gib": shift = 30
    case "t", "tb", "tib": shift = 40
    default: return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { return nil }
    self.bytes = bytes
  }

  /// In the largest unit of which it is a whole number; nothing has none.
  var description: String {
    guard bytes > 0 else { return "0" }
    for (shift, unit) in [(UInt64(40), "T"), (30, "G"), (20, "M"), (10, "K")] where bytes % (1 << shift) == 0 {
      return "\(bytes >> shift)\(unit)"
    }
    return "\(bytes)B"
  }

  static var form: String { "give a whole number with K, M, G or T (MiB without one), such as 512M or 2G" }
}
