/// Up to sixteen characters, first in, first out, each with the four error bits of the PL011's data register.
///
/// It is two integers and a count, so that it lives inside its device and is copied without an allocation.
public struct CharacterFIFO: Equatable, Sendable {
  /// ARM DDI 0183, 1.1: the FIFOs of revisions before r1p5 hold 16 characters.
  public static let capacity = 16

  /// The characters; the one that leaves first is in the lowest byte. Bytes from ``count`` on are zero.
  public private(set) var characters: UInt128
  /// Four error bits for each character; those of the one that leaves first are the lowest.
  public private(set) var errors: UInt64
  /// 0...16.
  public private(set) var count: Int

  public init() {
    characters = 0
    errors = 0
    count = 0
  }

  /// A FIFO with this content. A `count` outside 0...16 is brought into it, and what lies beyond `count` is dropped.
  public init(characters: UInt128, errors: UInt64, count: Int) {
    self.count = min(max(count, 0), Self.capacity)
    self.characters = characters & ~(UInt128.max << (8 * self.count))
    self.errors = errors & ~(UInt64.max << (4 * self.count))
  }

  @inline(__always)
  mutating func append(_ character: UInt8, errors: UInt8 = 0) {
    precondition(count < Self.capacity, "the caller looks for room first")
    characters |= UInt128(character) &<< UInt128(truncatingIfNeeded: 8 &* count)
    self.errors |= UInt64(errors & 0xF) &<< UInt64(truncatingIfNeeded: 4 &* count)
    count &+= 1
  }

  /// The oldest character, with its error bits from bit 8 on, as the data register shows it.
  @inline(__always)
  mutating func removeFirst() -> UInt32? {
    guard count > 0 else { return nil }
    let first = UInt32(UInt8(truncatingIfNeeded: characters)) | UInt32(errors & 0xF) << 8
    characters &>>= 8
    errors &>>= 4
    count &-= 1
    return first
  }

  @inline(__always)
  mutating func removeFirst(_ number: Int) {
    precondition(0...count ~= number, "only what is there can be removed")
    characters = characters >> (8 * number)
    errors = errors >> (4 * number)
    count -= number
  }

  mutating func removeAll() {
    self = CharacterFIFO()
  }
}

extension CharacterFIFO: Codable {
  private enum CodingKeys: String, CodingKey {
    case characters, errors
  }

  /// - Throws: what the decoder throws, and `DecodingError` for more characters than a FIFO holds.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let bytes = try container.decode([UInt8].self, forKey: .characters)
    let errors = try container.decode(UInt64.self, forKey: .errors)
    guard bytes.count <= Self.capacity else {
      throw DecodingError.dataCorruptedError(
        forKey: .characters,
        in: container,
        debugDescription: "\(bytes.count) characters are more than a FIFO holds"
      )
    }
    self.init()
    for (index, byte) in bytes.enumerated() {
      append(byte, errors: UInt8(truncatingIfNeeded: errors >> (4 * UInt64(index)) & 0xF))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: characters >> UInt128(8 * $0)) }
    try container.encode(bytes, forKey: .characters)
    try container.encode(errors, forKey: .errors)
  }
}
