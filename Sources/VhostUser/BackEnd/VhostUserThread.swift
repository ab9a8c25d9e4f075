internal import Host
internal import Synchronization
internal import Virtio

/// The thread of an event loop as the one on which devices work.
final class VhostUserThread: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: the loop is its own thread's alone; the rest is behind the mutex or immutable.

  /// For the thread that runs it.
  let loop: EventLoop
  private let event: EventDescriptor
  private let work = Mutex<[@Sendable () -> Void]>([])

  /// - Throws: where the host has no descriptor left.
  init() throws(HostError) {
    loop = try EventLoop()
    event = try EventDescriptor()
    _ = try loop.add(
      event.rawValue,
      EventLoop.readable,
      ClosureHandler(lasts: true) { [unowned self] _ in runPosted() }
    )
  }

  func post(_ work: @escaping @Sendable () -> Void) {
    let isFirst = self.work.withLock { list in
      list.append(work)
      return list.count == 1
    }
    if isFirst { event.signal() }
  }

  func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let gate = Gate()
    post { work { gate.open() } }
    gate.wait()
  }

  private func runPosted() {
    event.clear()
    let pieces = work.withLock { list in
      defer { list = [] }
      return list
    }
    for piece in pieces { piece() }
  }
}
