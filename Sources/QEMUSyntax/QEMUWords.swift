/// One option of QEMU's command line.
public struct QEMUOption: Equatable, Sendable {
  /// Without its dashes.
  public var name: String
  /// The word behind it, where the option has one.
  public var value: String?

  /// An option.
  public init(_ name: String, _ value: String? = nil) {
    self.name = name
    self.value = value
  }
}

/// The words of a command line as QEMU takes them: options with one dash or two, each with a word behind it or none.
public enum QEMUWords {
  /// Splits a command line into its options.
  ///
  /// - Parameters:
  ///   - words: without the program's name.
  ///   - hasValue: whether an option has a word behind it; nil where there is no such option.
  /// - Throws: ``QEMUSyntaxError`` for a word that is no option, an option that there is not, and a word that is
  ///   missing.
  public static func options(
    _ words: some Sequence<String>,
    hasValue: (String) -> Bool?
  ) throws(QEMUSyntaxError) -> [QEMUOption] {
    var options: [QEMUOption] = []
    var open: String?
    for word in words {
      if let name = open {
        options.append(QEMUOption(name, word))
        open = nil
        continue
      }
      guard word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 else {
        throw QEMUSyntaxError("'\(word)'", "this is no option; give an image as -drive file=PATH,format=raw,if=virtio")
      }
      let dashes = word.utf8.starts(with: "--".utf8) ? 2 : 1
      let name = String(word.dropFirst(dashes))
      switch hasValue(name) {
      case true?: open = name
      case false?: options.append(QEMUOption(name))
      case nil: throw QEMUSyntaxError(word, "there is no such option with Apus; see -help")
      }
    }
    if let open { throw QEMUSyntaxError("-\(open)", "the word behind it is missing; see -help") }
    return options
  }
}
