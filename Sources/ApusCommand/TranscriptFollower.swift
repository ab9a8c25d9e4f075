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

  init(_ path: String) {
    self.path = path
  }

  /// Follows until SIGINT, SIGTERM or SIGHUP comes, or the end of standard input.
  mutating func run() throws {
    let signals = try Message.reporting { () throws(HostError) in try SignalDescriptor.stop() }
    let file = try Message.reporting { () throws(InputFileError) in try GrowingFile(path) }
    while true {
      switch try Message.reporting({ () throws(InputFileError) in try file.read() }) {
      case .bytes(let bytes): try take(bytes)
      case .anew: (begun, number) = ([], 1)
      case .end:
        if !begun.isEmpty { try show([begun[...]]) }
        return
      case .nothing: if file.wait(beside: signals.rawValue) { return }
      }
      if signals.take() != nil { return }
    }
  }

  private mutating func take(_ bytes: [UInt8]) throws {
    begun += bytes
    guard let end = begun.lastIndex(of: 0x0A) else { return }
    let lines = begun[..<end].split(separator: 0x0A, omittingEmptySubsequences: false)
    begun = Array(begun[(end + 1)...])
    try show(lines)
  }

  private mutating func show(_ lines: [ArraySlice<UInt8>]) throws {
    var texts: [String] = []
    for line in lines {
      do throws(TranscriptError) {
        texts += try TranscriptRecord.records(lines: String(decoding: line, as: UTF8.self)).map(\.text)
      } catch {
        try Message.show(texts)
        throw BadText.said("\(path): line \(number): \(error.message)")
      }
      number += 1
    }
    if !texts.isEmpty { try Message.show(texts) }
  }
}
