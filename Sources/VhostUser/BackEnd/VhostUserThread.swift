internal import Host
internal import Virtio

/// The thread of an event loop as the one on which devices work.
final class VhostUserThread: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: the loop is its own thread's alone; the rest is immutable.

  /// For the thread that runs it.
  let loop: EventLoop
  private let work: PostedWork

  /// - Throws: where the host has no descriptor left.
  init() throws(HostError) {
    loop = try EventLoop()
    work = try PostedWork(loop, lasts: true)
  }

  func post(_ piece: @escaping @Sendable () -> Void) { work.post(piece) }

  func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    self.work.perform(work)
  }
}
