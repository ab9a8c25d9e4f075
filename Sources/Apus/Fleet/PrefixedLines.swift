/// Several consoles on one output, told apart by a prefix before each line: bytes in, bytes out.
///
/// A line goes out when it is complete. One that has waited for its end is shown by ``tick()``, and goes on behind what
/// was shown unless another console wrote something meanwhile: then that starts in a line of its own.
struct PrefixedLines {
  private struct Console {
    let prefix: [UInt8]
    /// What is not shown yet: the beginning of a line, or what follows what was shown of one.
    var partial: [UInt8] = []
    /// Whether nothing has come since the last tick.
    var isResting = false
  }

  private var consoles: [Console]
  /// Whose line stands unfinished at the output's end.
  private var openLine: Int?
  /// What is to go out.
  private(set) var output: ArraySlice<UInt8> = []

  /// More of a line is not kept, in bytes.
  static let partialLimit = 4096

  /// - Parameter names: of the consoles, which are counted from 0.
  init(names: [String]) {
    consoles = names.map { Console(prefix: Array("\($0)| ".utf8)) }
  }

  /// Whether a part of a line waits for its end.
  var hasPartial: Bool { consoles.contains { !$0.partial.isEmpty } }

  /// What a console has written.
  mutating func append(_ bytes: some Collection<UInt8>, from console: Int) {
    consoles[console].isResting = false
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      let behind = rest.index(after: end)
      consoles[console].partial += rest[..<behind]
      show(console)
      rest = rest[behind...]
    }
    consoles[console].partial += rest
    if consoles[console].partial.count >= Self.partialLimit { show(console) }
  }

  /// Shows the lines that wait for their ends and have got nothing since the last tick.
  mutating func tick() {
    for console in consoles.indices where !consoles[console].partial.isEmpty {
      if consoles[console].isResting { show(console) }
      consoles[console].isResting = true
    }
  }

  /// Shows what waits of one console.
  mutating func flush(_ console: Int) {
    if !consoles[console].partial.isEmpty { show(console) }
  }

  /// Shows what waits, and ends the line that is unfinished: nothing comes any more.
  mutating func end() {
    for console in consoles.indices { flush(console) }
    if openLine != nil { output.append(0x0A) }
    openLine = nil
  }

  /// Takes note that so many bytes of ``output`` have gone out.
  mutating func take(_ count: Int) {
    output = output.dropFirst(count)
    // What is taken off the front is let go of.
    if output.isEmpty { output = [] }
  }

  private mutating func show(_ console: Int) {
    if openLine != console {
      if openLine != nil { output.append(0x0A) }
      output += consoles[console].prefix
    }
    output += consoles[console].partial
    openLine = consoles[console].partial.last == 0x0A ? nil : console
    consoles[console].partial = []
  }
}
