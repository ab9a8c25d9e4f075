internal import ApusControl

/// A fuzzer's input: bytes that one side sends, and behind `0x10` what is done besides.
struct Script: Sequence, IteratorProtocol {
  enum Step {
    case send([UInt8])
    /// One of sixteen things that who reads the script knows.
    case act(UInt8)
  }

  /// Behind it stands what is done.
  static let escape: UInt8 = 0x10
  /// How much one script makes of itself by saying that something is repeated, in bytes.
  private static let repeatLimit = 5 << 20

  private let bytes: [UInt8]
  private var position = 0
  private var repeated = 0
  private var plain: [UInt8] = []

  init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  private mutating func byte() -> UInt8 {
    guard position < bytes.count else { return 0 }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func next() -> Step? {
    guard position < bytes.count else { return nil }
    let start = position
    while position < bytes.count, bytes[position] != Self.escape { position += 1 }
    if position > start {
      plain = Array(bytes[start..<position])
      return .send(plain)
    }
    position += 1
    let action = byte() & 0x0F
    switch action {
    case 0x0D:
      let value = byte()
      let power = Int(byte())
      // Mostly short; from 0xF0 on as long as the longest lines, and longer.
      return .send(take([value], 1 << (power < 0xF0 ? power % 13 : 20 + power & 3)))
    case 0x0E:
      let count = Int(byte())
      return .send(take(plain.suffix(Int(byte())), count))
    case 0x0F:
      let name = ControlCatalogue.methods[Int(byte()) % ControlCatalogue.methods.count].name
      return .send(Array("{\"jsonrpc\":\"2.0\",\"id\":\(byte()),\"method\":\"\(name)\",\"params\":".utf8))
    default: return .act(action)
    }
  }

  private mutating func take(_ piece: some Collection<UInt8>, _ count: Int) -> [UInt8] {
    guard !piece.isEmpty else { return [] }
    let count = Swift.min(count, (Self.repeatLimit - repeated) / piece.count)
    repeated += count * piece.count
    return Array(repeatElement(piece, count: count).joined())
  }
}
