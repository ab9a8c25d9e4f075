package import CHost

/// What a program that Apus has started says, in lines.
package struct ProgramWords: Sendable {
  /// What is kept of a line, in bytes.
  private static let lineLimit = 1024
  /// What a guest does can make a program talk, and must not fill a disk.
  private static let loggedLines = 256

  private var line: [UInt8] = []
  private var lines = 0
  /// The last whole line, without control characters.
  package private(set) var last = ""

  /// Of a program that has said nothing yet.
  package init() {}

  /// Takes what it has written.
  ///
  /// - Parameter log: gets each line, of the first ones.
  package mutating func take(_ bytes: [UInt8], _ log: (String) -> Void) {
    for byte in bytes {
      if byte != UInt8(ascii: "\n") {
        if line.count < Self.lineLimit, byte >= 0x20 || byte == 0x09 { line.append(byte) }
      } else if !line.isEmpty {
        last = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        lines += 1
        if lines <= Self.loggedLines { log(last) }
      }
    }
  }
}

extension chost_process_end {
  /// How the process ended, for people.
  package var text: String {
    is_unknown ? "ended" : by_signal ? "was ended by signal \(status)" : "ended with status \(status)"
  }
}
