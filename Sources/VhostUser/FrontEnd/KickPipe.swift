internal import CHost
internal import Host

/// By which a back-end is told to look at a queue: it has the end to read from, and nothing that it does with it can
/// make the other side wait.
final class KickPipe: Sendable {
  private let end: OwnedDescriptor
  private let start: OwnedDescriptor

  /// - Throws: where the host has no descriptor left.
  init() throws(HostError) {
    var (end, start): (Int32, Int32) = (-1, -1)
    // SAFETY: the numbers hold for the call.
    let error = unsafe chost_kick_pipe(&end, &start)
    guard error == 0 else { throw HostError("pipe2", errno: -error, advice: HostError.tooManyDescriptors) }
    self.end = OwnedDescriptor(owning: end)
    self.start = OwnedDescriptor(owning: start)
  }

  /// The back-end's end.
  var descriptor: Int32 { end.rawValue }

  /// Tells it.
  func signal() { chost_kick(start.rawValue) }
}
