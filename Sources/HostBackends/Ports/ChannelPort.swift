import CHost
internal import Glibc
package import Host
package import Logging
import VirtioDevices

/// A named port that leads to a file, a socket or a descriptor.
///
/// Bytes go straight between the guest's buffers and the descriptor. A reader that does not read leaves them in the
/// guest's ring; a peer that goes closes the port for the guest until another one comes.
package final class ChannelPort: HostPort {
  private let endpoint: PortEndpoint
  private let loop: EventLoop
  private let logger: Logger
  private let attention: SharedEventDescriptor
  private var channel: ClosureHandler?
  /// What is in the loop for room, where that is not the descriptor itself.
  private var watchedRoom: Int32?
  private var guestIsOpen = false
  private var guestWaits = false
  private var wantsInput = false
  private var inputHasEnded = false
  private var hasHungUp = false
  /// Whether the other side takes nothing any more.
  private var isFinished = false
  private let acceptTimer: SharedTimer
  private var hasFailedToAccept = false
  /// How long a host without descriptors is given, in nanoseconds.
  private static let acceptPause: UInt64 = 1_000_000_000
  /// What a driver that has gone left in its ring and was not written yet.
  private var leftover: ArraySlice<UInt8> = []
  private static let leftoverLimit = 4 << 20

  /// Tells the device that something connected, or went. Set before the machine starts.
  package var connectionChanged: (_ isConnected: Bool) -> Void = { _ in }

  /// - Throws: where the loop takes no more.
  package init(_ endpoint: PortEndpoint, loop: EventLoop, logger: Logger) throws(HostError) {
    self.endpoint = endpoint
    self.loop = loop
    self.logger = logger
    attention = SharedEventDescriptor(try EventDescriptor())
    acceptTimer = SharedTimer(try HostTimer())
    super.init()
    _ = try loop.add(
      acceptTimer.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        acceptTimer.value.clear()
        watchForPeer()
      }
    )
    _ = try loop.add(
      attention.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        attention.value.clear()
        settle()
      }
    )
    channel = ClosureHandler { [unowned self] events in ready(events) }
    watch()
    watchForPeer()
  }

  /// Whether peers come and go.
  var hasPeers: Bool { endpoint.isSocket }

  /// Whether something is connected.
  package var isConnected: Bool { endpoint.descriptor != nil }

  /// Waits for a while until the guest's bytes go on, where they wait or are not written yet.
  ///
  /// - Returns: whether there was something to wait for.
  package func waitForProgress(milliseconds: Int32) -> Bool {
    guard let descriptor = endpoint.descriptor, wantsRoom || endpoint.outlet.map({ $0.pending > 0 }) == true else {
      return false
    }
    (endpoint.outlet?.room ?? Outlet.Room(ofDescriptor: descriptor)).wait(milliseconds: milliseconds)
    endpoint.outlet?.answerRoom()
    return endpoint.outlet?.failure ?? 0 == 0
  }

  /// Whether bytes of the guest's wait for room.
  package var wantsRoom: Bool { guestWaits || !leftover.isEmpty }

  // MARK: The guest's side

  package override func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    guestWaits = false
    writeLeftover()
    guard leftover.isEmpty else {
      guestWaits = true
      return 0
    }
    // SAFETY: the bytes are passed on as they came.
    let taken = unsafe write(bytes)
    if taken < bytes.count {
      guestWaits = true
      watch()
    }
    return taken
  }

  package override func takeLast(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the bytes are valid for the call, and each is read once.
    let taken = unsafe leftover.isEmpty ? write(bytes) : 0
    guestWaits = false
    unsafe leftover.append(contentsOf: bytes.dropFirst(taken).prefix(Self.leftoverLimit - leftover.count))
    if wantsRoom { watch() }
  }

  /// Writes what a driver that has gone left, as far as it goes.
  package func writeLeftover() {
    guard !leftover.isEmpty else { return }
    // SAFETY: the bytes are this call's own.
    leftover = leftover.dropFirst(unsafe leftover.withUnsafeBytes { unsafe write($0) })
  }

  /// Writes as far as it goes at once.
  ///
  /// - Returns: how many bytes are done with. Fewer than given means that there is no room.
  private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    // Nobody listens: as with a cable that is not plugged in.
    guard let descriptor = endpoint.descriptor, endpoint.canWrite, !isFinished, let base = bytes.baseAddress else {
      return bytes.count
    }
    var taken = 0
    while taken < bytes.count {
      // SAFETY: the buffer is valid for the call, and what goes along lies inside.
      let result = unsafe send(UnsafeRawBufferPointer(start: base + taken, count: bytes.count - taken), to: descriptor)
      if result > 0 {
        taken += result
      } else if result == -Int(EAGAIN) {
        return taken
      } else {
        finish(errno: Int32(-result))
        return bytes.count
      }
    }
    return taken
  }

  @unsafe
  private func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
    // SAFETY: the buffer is valid for the call, which keeps no pointer.
    if let outlet = endpoint.outlet { return unsafe outlet.offer(bytes) }
    guard let base = bytes.baseAddress else { return 0 }
    // SAFETY: the buffer is valid for the call and its size goes along.
    return unsafe Int(chost_output_write(descriptor, true, base, bytes.count))
  }

  package override func give(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    // A guest throws away what comes before it has opened the port.
    guard guestIsOpen, !inputHasEnded, endpoint.canRead, buffer.count > 0,
      let descriptor = endpoint.descriptor, let base = buffer.baseAddress
    else { return 0 }
    // SAFETY: the buffer is the caller's and its size goes along.
    let result = unsafe chost_channel_read(descriptor, endpoint.isSocket, base, buffer.count)
    if result > 0 { return Int(result) }
    if result == -Int64(EAGAIN) {
      wantsInput = true
      watch()
    } else {
      inputHasEnded = true
      attention.value.signal()
    }
    return 0
  }

  package override func guestChanged(isOpen: Bool) {
    guestIsOpen = isOpen
    attention.value.signal()
  }

  // MARK: The host's side, from the loop

  /// Takes everything out of the loop again.
  package func disconnect() {
    loop.remove(attention.value.rawValue)
    loop.remove(acceptTimer.value.rawValue)
    if let watchedRoom { loop.remove(watchedRoom) }
    if let descriptor = endpoint.descriptor { loop.remove(descriptor) }
    if let listener = endpoint.waitingListener { loop.remove(listener) }
  }

  private func ready(_ events: UInt32) {
    if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { hasHungUp = true }
    if events & EPOLLIN.rawValue != 0 { wantsInput = false }
    if wantsRoom, events & EPOLLOUT.rawValue != 0 { hasRoom() } else { watch() }
    if events & EPOLLIN.rawValue != 0 { becameReadable() }
    if hasHungUp { settle() }
  }

  private func hasRoom() {
    guestWaits = false
    writeLeftover()
    watch()
    if leftover.isEmpty { becameWritable() }
  }

  /// Watches the descriptor for what is waited for, and for its end in any case.
  private func watch() {
    guard let descriptor = endpoint.descriptor, let channel else { return }
    loop.remove(descriptor)
    if let watchedRoom { loop.remove(watchedRoom) }
    watchedRoom = nil
    // A hang-up is reported whatever one waits for, again and again.
    guard !hasHungUp else { return }
    var events = wantsInput ? EPOLLIN.rawValue : 0
    let room = wantsRoom ? endpoint.outlet?.room ?? Outlet.Room(ofDescriptor: descriptor) : nil
    if let room, room.descriptor == descriptor { events |= room.events }
    do {
      if let room, room.descriptor != descriptor {
        watchedRoom = room.descriptor
        let handler = ClosureHandler { [unowned self] _ in
          endpoint.outlet?.answerRoom()
          hasRoom()
        }
        _ = try loop.add(room.descriptor, room.events, handler)
      }
      // A regular file is never waited for.
      _ = try loop.add(descriptor, events, channel)
    } catch {
      inputHasEnded = true
      finish(errno: error.errno)
    }
  }

  private func watchForPeer() {
    guard let listener = endpoint.waitingListener else { return }
    let handler = ClosureHandler { [unowned self] _ in
      let error = endpoint.accept()
      // Whoever was there has gone again.
      if error == EAGAIN || error == ECONNABORTED || error == EINTR { return }
      loop.remove(listener)
      guard error == 0 else { return acceptLater(error) }
      watch()
      connectionChanged(true)
      becameReadable()
    }
    if (try? loop.add(listener, EventLoop.readable, handler)) != true {
      logger.warning("port \(endpoint.name): no peer can be waited for; it stays closed")
    }
  }

  /// Without descriptors or memory the peer stays where it is, and the listener stays readable.
  private func acceptLater(_ error: Int32) {
    if !hasFailedToAccept {
      logger.warning("port \(endpoint.name): a peer cannot be accepted yet: \(errorText(error))")
    }
    hasFailedToAccept = true
    acceptTimer.value.arm(after: Self.acceptPause)
  }

  /// Draws the consequences of what the guest or the other side did, outside of the device's work.
  private func settle() {
    guard let descriptor = endpoint.descriptor else { return }
    if inputHasEnded, !hasHungUp { hasHungUp = chost_channel_has_hung_up(descriptor) }
    if guestIsOpen, !inputHasEnded { becameReadable() }
    // What the other side sent before it went, or stopped reading, is the guest's, also one's that opens the port
    // later.
    let isReadOut = inputHasEnded || !endpoint.canRead || !guestIsOpen && !chost_channel_has_input(descriptor)
    if inputHasEnded && !endpoint.canWrite || (isFinished || hasHungUp) && isReadOut { close() }
  }

  private func close() {
    if let descriptor = endpoint.descriptor { loop.remove(descriptor) }
    if let watchedRoom { loop.remove(watchedRoom) }
    watchedRoom = nil
    endpoint.close()
    (inputHasEnded, hasHungUp, wantsInput, isFinished) = (false, false, false, false)
    connectionChanged(false)
    // What waits for the one that has gone is not for the one that comes.
    leftover = []
    guestWaits = false
    becameWritable()
    watchForPeer()
  }

  /// The other side takes nothing any more.
  private func finish(errno: Int32) {
    if errno != EPIPE, errno != ECONNRESET {
      let consequence = endpoint.canRead && !inputHasEnded ? "what the guest writes is lost" : "the port is closed"
      logger.warning("port \(endpoint.name): writing failed: \(errorText(errno)); \(consequence)")
    }
    isFinished = true
    attention.value.signal()
  }
}
