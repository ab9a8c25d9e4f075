import ArgumentParser
import Host
import SCMI
import SCMIFile

/// Prints the lines of a transcript as they are written.
struct TranscriptFollower {
  let path: String
  /// What has come of a line.
  private var begun: [UInt8] = []
  /// Of the line that comes next, from 1.
  private var number = 1
  private var lines = TranscriptLines()

  init(_ path: String) {
    self.path = path
  }

  /// Follows until SIGINT, SIGTERM or SIGHUP comes, or the end of standard input.
  mutating func run() throws {
    let signals = try Message.reporting { () throws(HostError) in try SignalDescriptor.stop() }
    let file = try Message.reporting { () throws(InputFileError) in try GrowingFile(path) }
    while true {
      switch try Message.reporting({ () throws(InputFileError) in try file.read() }) {
      case .bytes(let bytes): guard try take(bytes) else { return }
      case .anew: (begun, number, lines) = ([], 1, TranscriptLines())
      case .end:
        if !begun.isEmpty { _ = try show([begun[...]], isCut: true) }
        return
      case .nothing: if file.wait(beside: signals.rawValue) { return }
      }
      if signals.take() != nil { return }
    }
  }

  /// - Returns: false where nobody reads the lines any more.
  private mutating func take(_ bytes: [UInt8]) throws -> Bool {
    begun += bytes
    guard let end = begun.lastIndex(of: 0x0A) else { return true }
    let lines = begun[..<end].split(separator: 0x0A, omittingEmptySubsequences: false)
    begun = Array(begun[(end + 1)...])
    return try show(lines)
  }

  /// - Parameter isCut: whether nothing comes behind the last one, not even its end.
  /// - Returns: false where nobody reads the lines any more.
  private mutating func show(_ lines: [ArraySlice<UInt8>], isCut: Bool = false) throws -> Bool {
    var texts: [String] = []
    for line in lines {
      do throws(TranscriptError) {
        let text = String(decoding: line, as: UTF8.self) + (isCut ? "" : "\n")
        texts += self.lines.lines(try TranscriptRecord.records(lines: text))
      } catch {
        try Message.show(texts)
        throw BadText.said("\(path): line \(number): \(error.message)")
      }
      number += 1
    }
    return try texts.isEmpty || Message.offer(texts)
  }
}
