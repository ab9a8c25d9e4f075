/// The words of `/chosen/bootargs`: a word alone is an option, `NAME=NUMBER` a number, decimal or hexadecimal with 0x.
public struct BootArguments: Sendable {
  private let text: DeviceTree.Property?

  public init() {
    text = DeviceTree.current.firstNode(named: "chosen")?["bootargs"]
  }

  /// Whether `word` is one of the words.
  public func contains(_ word: StaticString) -> Bool {
    position(behind: word) { $0 == nil || $0 == 0 || $0 == 0x20 } != nil
  }

  /// The number that stands behind `NAME=`, or `nil` if there is none.
  public func number(_ name: StaticString) -> UInt64? {
    guard let text, var position = position(behind: name, { $0 == 0x3D }) else { return nil }
    position += 1
    var radix: UInt64 = 10
    if text[position] == 0x30, text[position + 1] == 0x78 {
      radix = 16
      position += 2
    }
    var number: UInt64 = 0
    while let digit = text[position].flatMap({ digitValue($0) }), digit < radix {
      number = number &* radix &+ digit
      position += 1
    }
    return number
  }

  /// Where the word that begins with `start` and goes on as `matches` wants goes on.
  private func position(behind start: StaticString, _ matches: (UInt8?) -> Bool) -> Int? {
    guard let text else { return nil }
    let count = start.utf8CodeUnitCount
    for begin in 0..<text.count where begin == 0 || text[begin - 1] == 0x20 {
      var index = 0
      while index < count, text[begin + index] == start.byte(index) { index += 1 }
      if index == count, matches(text[begin + count]) { return begin + count }
    }
    return nil
  }

  private func digitValue(_ character: UInt8) -> UInt64? {
    switch character {
    case 0x30...0x39: UInt64(character - 0x30)
    case 0x61...0x66: UInt64(character - 0x61 + 10)
    case 0x41...0x46: UInt64(character - 0x41 + 10)
    default: nil
    }
  }
}
