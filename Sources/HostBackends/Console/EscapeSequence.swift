/// The keys that a terminal user has for Apus itself: Ctrl-A and then a letter.
package struct EscapeSequence {
  /// What to do with a key.
  package enum Action: Equatable {
    /// The guest gets it.
    case pass(UInt8)
    /// Nothing yet: it may start a sequence.
    case wait
    /// End the machine.
    case quit
    /// Show the keys.
    case help
  }

  /// Nothing has been typed yet.
  package init() {}

  private static let prefix: UInt8 = 0x01
  private var hasPrefix = false

  /// Takes the next key.
  package mutating func take(_ key: UInt8) -> Action {
    guard hasPrefix else {
      hasPrefix = key == Self.prefix
      return hasPrefix ? .wait : .pass(key)
    }
    hasPrefix = false
    switch key {
    case UInt8(ascii: "x"), UInt8(ascii: "X"): return .quit
    case UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "?"): return .help
    // Ctrl-A twice sends one; after another key the prefix meant nothing.
    default: return .pass(key)
    }
  }

  /// What Ctrl-A h shows.
  package static let help = "Ctrl-A x: end the machine   Ctrl-A Ctrl-A: send Ctrl-A   Ctrl-A h: this help"
}
