import CHost
internal import Glibc
package import Host

/// What a network device does when its back-end has something to say.
package struct NetworkEvents {
  /// There may be packets. True: call again when others had their turn.
  package let readable: () -> Bool
  /// There may be room. True: call again when others had their turn.
  package let writable: () -> Bool
  /// The peer has gone; the descriptor with it.
  package let lost: () -> Void
}

/// A back-end's descriptor in the event loop.
///
/// Edges, not levels: what the device leaves for later because its driver has no buffers is no reason to wake again.
/// Room is waited for only after there was none, since a peer makes room with each packet that it takes.
package final class NetworkPort: EventHandler {
  private static let arrival = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue

  private let descriptor: OwnedDescriptor
  private let loop: EventLoop
  private let turns: NetworkTurns
  private var waitsForRoom = false
  /// The peer has gone, or will send nothing more.
  package private(set) var hasEnded = false

  /// - Throws: where the descriptor cannot be waited for, or the loop takes no more.
  package init(_ descriptor: consuming OwnedDescriptor, loop: EventLoop, turns: NetworkTurns) throws(HostError) {
    self.descriptor = descriptor
    self.loop = loop
    self.turns = turns
    super.init()
    lasts = true
    guard try loop.add(rawValue, Self.arrival, self) else {
      throw HostError("epoll_ctl", errno: EPERM, advice: "give a socket or a tap device")
    }
  }

  package var rawValue: Int32 { descriptor.rawValue }

  /// Has ``NetworkTurns/hasRoom()`` called when the peer has made room.
  package func waitForRoom() {
    guard !waitsForRoom else { return }
    waitsForRoom = true
    loop.change(rawValue, Self.arrival | EPOLLOUT.rawValue)
  }

  /// Takes the descriptor out of the loop.
  package func disconnect() {
    loop.remove(rawValue)
  }

  package override func ready(_ events: UInt32) {
    if events & EPOLLOUT.rawValue != 0, waitsForRoom {
      waitsForRoom = false
      loop.change(rawValue, Self.arrival)
      turns.hasRoom()
    }
    if events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { hasEnded = true }
    if events & ~EPOLLOUT.rawValue != 0 { turns.hasArrivals() }
  }
}

/// Whose turn it is: what a device leaves for later comes back through an event.
package final class NetworkTurns: EventHandler {
  private let event: EventDescriptor
  private let loop: EventLoop
  private var events: NetworkEvents?
  private var isReadable = false
  private var isWritable = false
  private var isLost = false

  /// - Throws: where the host has no descriptor left.
  package init(_ loop: EventLoop) throws(HostError) {
    event = try EventDescriptor()
    self.loop = loop
    super.init()
    lasts = true
    _ = try loop.add(event.rawValue, EventLoop.readable, self)
  }

  /// Has a device told from now on what there is.
  package func connect(_ events: NetworkEvents) {
    self.events = events
  }

  /// The device has gone: what there is waits for the next one.
  package func release() {
    events = nil
  }

  /// Nothing is told any more.
  package func disconnect() {
    loop.remove(event.rawValue)
    events = nil
  }

  /// The descriptor has something: it is the device's turn.
  package func hasArrivals() {
    if let events, events.readable() {
      isReadable = true
      event.signal()
    }
  }

  /// There is more than one turn looks at.
  package func hasMore() {
    isReadable = true
    event.signal()
  }

  /// There is room again: it is the device's turn.
  package func hasRoom() {
    if let events, events.writable() {
      isWritable = true
      event.signal()
    }
  }

  /// The peer has gone. Not told at once: the device may be in the middle of a packet.
  package func hasLost() {
    isLost = true
    event.signal()
  }

  package override func ready(_: UInt32) {
    event.clear()
    let (wasReadable, wasWritable, wasLost) = (isReadable, isWritable, isLost)
    (isReadable, isWritable, isLost) = (false, false, false)
    if wasLost { events?.lost() }
    if wasReadable { hasArrivals() }
    if wasWritable { hasRoom() }
  }
}
