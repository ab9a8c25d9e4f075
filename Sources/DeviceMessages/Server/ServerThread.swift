package import Host
import Virtio

/// A served device's thread: the one that runs an event loop.
package final class ServerThread: DeviceThread {
  private let work: PostedWork

  /// - Throws: where the host has no descriptor left.
  package init(_ loop: EventLoop) throws(HostError) {
    work = try PostedWork(loop)
  }

  /// Does nothing any longer: what is left holds what holds the thread.
  package func end() { work.forget() }

  package func post(_ piece: @escaping @Sendable () -> Void) { work.post(piece) }

  package func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    self.work.perform(work)
  }
}
