package import CHost

/// What a program that Apus has started says, in lines.
package struct ProgramWords: Sendable {
  /// What is kept of a line, in bytes.
  private static let lineLimit = 1024
  /// What a guest does can make a program talk, and must not fill a disk.
  private static let loggedLines = 256

  private var line: [UInt8] = []
  private var lines = 0
  /// The last three whole lines, without control characters: what is wrong often stands above the advice to ask for
  /// help.
  private var latest: [String] = []

  /// The last whole line, without control characters; empty where there is none.
  package var last: String { latest.last ?? "" }

  /// The last lines in one, without the time that a log has before each: the same words are the same text.
  package var ending: String { latest.map(Self.withoutStamp).joined(separator: " / ") }

  private static func withoutStamp(_ line: String) -> Substring {
    guard line.utf8.first == UInt8(ascii: "["), let end = line.utf8.firstIndex(of: UInt8(ascii: "]")) else {
      return line[...]
    }
    return line[end...].dropFirst().drop { $0 == " " }
  }

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
        latest = latest.suffix(2) + [String(decoding: line, as: UTF8.self)]
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
