package import Host
internal import Synchronization
import Virtio

/// A served device's thread: the one that runs an event loop.
package final class ServerThread: DeviceThread {
  private let event: SharedEvent
  private let work = Mutex<[@Sendable () -> Void]>([])

  private final class SharedEvent: Sendable {
    let event: EventDescriptor

    init() throws(HostError) {
      event = try EventDescriptor()
    }
  }

  /// - Throws: where the host has no descriptor left.
  package init(_ loop: EventLoop) throws(HostError) {
    event = try SharedEvent()
    _ = try loop.add(
      event.event.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in doAll() }
    )
  }

  private func doAll() {
    event.event.clear()
    let work = work.withLock { work in
      defer { work = [] }
      return work
    }
    for piece in work { piece() }
  }

  /// Does nothing any longer: what is left holds what holds the thread.
  package func end() {
    work.withLock { $0 = [] }
  }

  package func post(_ piece: @escaping @Sendable () -> Void) {
    let isFirst = work.withLock { work in
      work.append(piece)
      return work.count == 1
    }
    if isFirst { event.event.signal() }
  }

  package func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let gate = Gate()
    post { work { gate.open() } }
    gate.wait()
  }
}
