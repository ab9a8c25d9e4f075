public import AArch64

/// Walks tables of any bytes, and looks that what has to hold does.
public enum ExerciseTranslation {
  /// Takes registers, an address and the tables' words off the front of some bytes; the last word is there for ever.
  ///
  /// - Returns: where the address leads, or nil.
  @discardableResult
  public static func run(_ bytes: [UInt8]) -> StageOneTranslation.Mapping? {
    var rest = bytes[...]
    func word() -> UInt64 {
      let piece = rest.prefix(8)
      rest = rest.dropFirst(rest.count > 8 ? 8 : 0)
      return piece.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let registers = TranslationRegisters(
      control: word(),
      translationControl: word(),
      table0: word(),
      table1: word()
    )
    let address = word()
    var reads = 0
    let mapping = try? StageOneTranslation(registers).translate(address) { place in
      reads += 1
      precondition(place % 8 == 0 && place < 1 << 52, "an entry is a word of the physical address space")
      let entry = word()
      return entry == .max ? nil : entry
    }
    precondition(reads <= 5, "there are five levels")
    if let mapping {
      precondition(mapping.address < 1 << 52 && mapping.count > 0, "a mapping is in the physical address space")
      precondition(mapping.address + mapping.count <= 1 << 52, "all of it is")
    }
    return mapping
  }
}
