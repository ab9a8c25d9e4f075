import CHost
import Glibc

/// Something to write to whose reader has stopped, and that is full.
final class StalledOutput {
  /// What kind it is.
  enum Kind: CaseIterable {
    case pipe
    case fifo
    case terminal
  }

  /// Its writing end, for a process to inherit. It waits, as those that processes inherit do.
  let writing: Int32
  /// A name to open it by, where it has one.
  let path: String?
  private let reading: Int32

  init(_ kind: Kind, _ workspace: Workspace, _ name: String) throws {
    var ends: [Int32] = [-1, -1]
    switch kind {
    case .pipe:
      // SAFETY: the array has room for two.
      _ = unsafe Glibc.pipe(&ends)
      path = nil
    case .fifo:
      let fifo = workspace.file(name)
      // SAFETY: the path holds for the calls.
      _ = unsafe mkfifo(fifo, 0o600)
      ends[0] = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
      ends[1] = unsafe open(fifo, O_WRONLY)
      path = fifo
    case .terminal:
      var text = [CChar](repeating: 0, count: 128)
      // SAFETY: the buffer holds for the calls and its size goes along.
      ends[0] = unsafe chost_pseudo_terminal_open(&text, text.count)
      ends[1] = unsafe open(&text, O_RDWR | O_NOCTTY)
      path = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    (reading, writing) = (ends[0], ends[1])
    guard reading >= 0, writing >= 0 else { throw CommandProcess.Failure(description: "no \(kind): errno \(errno)") }
    for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    Self.fill(writing)
  }

  deinit {
    close(reading)
    close(writing)
  }

  /// Writes until there is no room, and leaves the descriptor one that waits.
  static func fill(_ descriptor: Int32) {
    let flags = fcntl(descriptor, F_GETFL)
    _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    for size in [4096, 1] {
      let bytes = [UInt8](repeating: 0x2E, count: size)
      // SAFETY: the buffer holds for the call and its size goes along.
      while unsafe write(descriptor, bytes, size) > 0 {}
    }
    _ = fcntl(descriptor, F_SETFL, flags)
  }

  /// Reads for a while.
  ///
  /// - Returns: what was there and came, without what filled it.
  func read(until text: String) throws -> String {
    var bytes: [UInt8] = []
    let deadline = ContinuousClock.now + .seconds(60)
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while !String(decoding: bytes, as: UTF8.self).contains(text) {
      guard ContinuousClock.now < deadline else {
        throw CommandProcess.Failure(description: "'\(text)' did not come, but \(bytes.count) bytes")
      }
      guard chost_wait(reading, Int16(POLLIN), 100) else { continue }
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe Glibc.read(reading, &chunk, chunk.count)
      if count > 0 { bytes += chunk[..<count].filter { $0 != 0x2E } }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
