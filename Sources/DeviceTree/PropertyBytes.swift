/// Properties' values as a blob has them: numbers are big-endian, texts end with a zero (Devicetree Specification 0.4,
/// 2.2.4).
enum PropertyBytes {
  static func of(strings: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for text in strings {
      bytes.append(contentsOf: text.utf8)
      bytes.append(0)
    }
    return bytes
  }

  static func of(cells: [UInt32]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * cells.count)
    for cell in cells {
      bytes.append(UInt8(truncatingIfNeeded: cell >> 24))
      bytes.append(UInt8(truncatingIfNeeded: cell >> 16))
      bytes.append(UInt8(truncatingIfNeeded: cell >> 8))
      bytes.append(UInt8(truncatingIfNeeded: cell))
    }
    return bytes
  }

  static func of(wide: [UInt64]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 * wide.count)
    for number in wide {
      var shift: UInt64 = 64
      while shift > 0 {
        shift -= 8
        bytes.append(UInt8(truncatingIfNeeded: number >> shift))
      }
    }
    return bytes
  }
}
