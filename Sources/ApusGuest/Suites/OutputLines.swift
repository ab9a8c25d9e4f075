internal import Synchronization

/// Makes lines of what comes in pieces, and hands them on as they are whole.
package final class OutputLines: Sendable {
  private let pending = Mutex<[UInt8]>([])
  private let show: @Sendable ([String]) -> Void
  /// How much of a line without an end is waited for.
  private static let limit = 4096

  /// - Parameter show: gets each line without its end, as it is: no terminal should see it so.
  package init(_ show: @escaping @Sendable ([String]) -> Void) {
    self.show = show
  }

  /// Takes what has come.
  package func take(_ bytes: [UInt8]) {
    let lines = pending.withLock { pending -> [String] in
      pending += bytes
      var lines: [String] = []
      var start = 0
      while let end = pending[start...].firstIndex(of: 0x0A)
        ?? (pending.count - start > Self.limit ? pending.count : nil)
      {
        lines.append(Self.text(pending[start..<end]))
        start = min(end + 1, pending.count)
      }
      pending.removeFirst(start)
      return lines
    }
    if !lines.isEmpty { show(lines) }
  }

  /// Nothing comes any more: what is there is a line.
  package func finish() {
    let rest = pending.withLock { pending in
      defer { pending = [] }
      return pending
    }
    if !rest.isEmpty { show([Self.text(rest[...])]) }
  }

  private static func text(_ line: ArraySlice<UInt8>) -> String {
    String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
  }
}
