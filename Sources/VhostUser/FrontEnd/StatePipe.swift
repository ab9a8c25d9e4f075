internal import CHost
internal import Glibc
internal import Host

/// What a back-end's state goes through: one end is the back-end's, which may wait at it for as long as it likes; at
/// this one nothing waits longer than it may.
final class StatePipe {
  /// The most bytes of a state.
  static let limit = 64 << 20
  private static let piece = 64 << 10

  private let ours: OwnedDescriptor
  /// The back-end's, until it has it.
  private var theirs: VhostUserDescriptor?
  private let what: String

  /// - Parameters:
  ///   - isForReading: whether the back-end writes.
  ///   - what: what goes through it, for an error.
  /// - Throws: ``VhostUserError/host(_:)``.
  init(isForReading: Bool, _ what: String) throws(VhostUserError) {
    var (end, start): (Int32, Int32) = (-1, -1)
    // SAFETY: the numbers hold for the call.
    let error = unsafe isForReading ? chost_pipe(&end, &start) : chost_pipe_for_writing(&end, &start)
    guard error == 0 else { throw .host("cannot make a pipe: \(errorText(-error))") }
    ours = OwnedDescriptor(owning: isForReading ? end : start)
    theirs = VhostUserDescriptor(owning: isForReading ? start : end)
    self.what = what
  }

  /// The back-end's end, which is closed here when the message with it has gone.
  func takeTheirs() -> VhostUserDescriptor {
    guard let theirs else { preconditionFailure("a back-end gets its end once") }
    self.theirs = nil
    return theirs
  }

  /// All that the back-end writes, until it closes its end.
  ///
  /// - Parameter patience: how long nothing may come, in nanoseconds.
  /// - Throws: ``VhostUserError``.
  func readAll(patience: UInt64) throws(VhostUserError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: Self.piece)
    while true {
      // SAFETY: the array holds for the call and its size goes along.
      let count = unsafe chost_pipe_read(ours.rawValue, &chunk, chunk.count)
      if count == 0 { return bytes }
      guard count > 0 || count == -Int64(EAGAIN) else { throw .host("\(what): \(errorText(Int32(-count)))") }
      if count > 0 {
        bytes += chunk[..<Int(count)]
        guard bytes.count <= Self.limit else { throw .malformed("\(what) of more than \(Self.limit >> 20) MiB") }
      } else {
        try wait(Int16(POLLIN), patience)
      }
    }
  }

  /// Has the back-end read all of it.
  ///
  /// - Parameter patience: how long it may take nothing, in nanoseconds.
  /// - Throws: ``VhostUserError``.
  func writeAll(_ bytes: [UInt8], patience: UInt64) throws(VhostUserError) {
    var done = 0
    while done < bytes.count {
      // SAFETY: the array holds for the call, and what goes along lies inside.
      let count = unsafe bytes.withUnsafeBytes { bytes in
        unsafe bytes.baseAddress.map { unsafe chost_pipe_write(ours.rawValue, $0 + done, bytes.count - done) } ?? 0
      }
      if count > 0 {
        done += Int(count)
      } else {
        guard count == -Int64(EAGAIN) else { throw .refused(what) }
        try wait(Int16(POLLOUT), patience)
      }
    }
  }

  private func wait(_ events: Int16, _ patience: UInt64) throws(VhostUserError) {
    guard chost_wait(ours.rawValue, events, Int32(clamping: patience / 1_000_000)) else { throw .timedOut(what) }
  }
}
