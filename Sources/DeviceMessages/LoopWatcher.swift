internal import CHost
package import Host

/// A front-end's socket and timer in an event loop.
package final class LoopWatcher: MessageWatcher {
  private let loop: EventLoop
  private let timer: HostTimer
  private let event: EventDescriptor
  private unowned let device: MessagesDevice
  private var watched: Int32 = -1

  /// - Parameter device: which keeps the watcher, and outlives its being in the loop.
  /// - Throws: where the host has no descriptor left.
  package init(_ device: MessagesDevice, _ loop: EventLoop) throws(HostError) {
    self.device = device
    self.loop = loop
    timer = try HostTimer()
    event = try EventDescriptor()
    _ = try loop.add(
      timer.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        timer.clear()
        self.device.tick()
      }
    )
    _ = try loop.add(
      event.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        event.clear()
        self.device.soon()
      }
    )
  }

  package func watch(_ peer: MessagePeer) {
    unwatch()
    let handler = ClosureHandler { [unowned self] _ in device.ready() }
    // A loop that takes no more is one whose device finds nobody.
    guard (try? loop.add(peer.rawValue, EventLoop.readable, handler)) == true else { return }
    watched = peer.rawValue
  }

  package func wantRoom(_ wants: Bool) {
    guard watched >= 0 else { return }
    loop.change(watched, wants ? EventLoop.readable | EPOLLOUT.rawValue : EventLoop.readable)
  }

  package func unwatch() {
    guard watched >= 0 else { return }
    loop.remove(watched)
    watched = -1
  }

  package func arm(after nanoseconds: UInt64) { timer.arm(after: nanoseconds) }

  package func callSoon() { event.signal() }

  package func end() {
    unwatch()
    loop.remove(timer.rawValue)
    loop.remove(event.rawValue)
  }
}
