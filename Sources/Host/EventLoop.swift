internal import CHost
internal import Glibc

/// What a descriptor in an event loop calls when it is ready.
///
/// A base class and not a protocol: the call is one indirect jump and counts no references. Not for users: the loop is
/// the package's, and only an open class can have subclasses in its other modules.
open class EventHandler {
  /// Whether a loop watches a descriptor for it: an event may have come in the same batch as its removal.
  ///
  /// For this file alone, so that the compiler sees that no two accesses overlap and checks none while it runs.
  fileprivate final var isWatching = false
  /// The batch of events of which it is told nothing any more.
  fileprivate final var forgottenBatch: UInt64 = 0
  /// Whether it stays when the others of a loop go; see ``EventLoop/removePassing()``.
  package final var lasts = false

  /// A handler that watches nothing yet.
  package init() {}

  /// Called on the loop's thread.
  ///
  /// - Parameter events: what epoll said (EPOLLIN and its kin).
  open func ready(_ events: UInt32) {
    preconditionFailure("a handler says what it does when it is ready")
  }
}

/// A handler that runs a closure, for what is not on a hot path.
package final class ClosureHandler: EventHandler {
  private let body: (UInt32) -> Void

  /// - Parameter lasts: whether it stays when the others of a loop go.
  package init(lasts: Bool = false, _ body: @escaping (UInt32) -> Void) {
    self.body = body
    super.init()
    self.lasts = lasts
  }

  public override func ready(_ events: UInt32) {
    body(events)
  }
}

/// Waits on descriptors and calls their handlers, on the one thread that runs it: the machine's device thread.
package final class EventLoop {
  private let epoll: OwnedDescriptor
  /// By descriptor number, of which the kernel always gives the lowest. A handler lives until it is removed, and then
  /// until the end of the batch. No dictionary: the first one of its kind costs more than all the loop's calls.
  private var handlers: [EventHandler?] = []
  private var removed: [EventHandler] = []
  /// Whether there are such: a batch in which nothing was removed leaves the array alone, which costs more to look at.
  private var hasRemoved = false
  /// Of events: which one is being told, or was last.
  private var batchNumber: UInt64 = 0
  private var isStopping = false
  private var isEnding = false

  /// That a descriptor can be read.
  package static let readable = EPOLLIN.rawValue

  /// That only what happens to a descriptor is told, and not that nobody has read it yet.
  package static let edgeTriggered = EPOLLET.rawValue

  /// A loop that watches nothing yet.
  ///
  /// - Throws: where the host has no descriptor left.
  package init() throws(HostError) {
    let number = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard number >= 0 else {
      throw HostError("epoll_create1", errno: chost_errno(), advice: HostError.tooManyDescriptors)
    }
    epoll = OwnedDescriptor(owning: number)
  }

  /// Watches a descriptor that the caller keeps open until ``remove(_:)``.
  ///
  /// - Returns: false for a regular file or a device like /dev/null, which never block and which epoll does not take.
  /// - Throws: where the host refuses to watch it.
  package func add(_ descriptor: Int32, _ events: UInt32, _ handler: EventHandler) throws(HostError) -> Bool {
    precondition(!handler.isWatching, "a handler watches one descriptor")
    // SAFETY: the address comes back as an event's token, and is used only while the handler is held here.
    let token = unsafe UInt64(UInt(bitPattern: Unmanaged.passUnretained(handler).toOpaque()))
    let result = chost_epoll_set(epoll.rawValue, EPOLL_CTL_ADD, descriptor, events, token)
    guard result != -EPERM else { return false }
    guard result == 0 else {
      throw HostError("epoll_ctl", errno: -result, advice: HostError.tooManyDescriptors)
    }
    handler.isWatching = true
    while handlers.count <= Int(descriptor) { handlers.append(nil) }
    handlers[Int(descriptor)] = handler
    return true
  }

  /// Watches for other events than before. Safe for a descriptor that is not watched.
  package func change(_ descriptor: Int32, _ events: UInt32) {
    guard let handler = handler(of: descriptor) else { return }
    // SAFETY: as above.
    let token = unsafe UInt64(UInt(bitPattern: Unmanaged.passUnretained(handler).toOpaque()))
    _ = chost_epoll_set(epoll.rawValue, EPOLL_CTL_MOD, descriptor, events, token)
  }

  /// Stops watching. Safe for a descriptor that is not watched.
  package func remove(_ descriptor: Int32) {
    guard let handler = handler(of: descriptor) else { return }
    handlers[Int(descriptor)] = nil
    handler.isWatching = false
    removed.append(handler)
    hasRemoved = true
    _ = chost_epoll_set(epoll.rawValue, EPOLL_CTL_DEL, descriptor, 0, 0)
  }

  /// Has a handler not be told of what has happened to its descriptor so far and is still to be told. What happens from
  /// now on is. Only on the loop's thread.
  package func forgetReady(_ handler: EventHandler) {
    handler.forgottenBatch = batchNumber
  }

  /// Stops watching everything and lets go of all handlers, some of which hold what holds the loop. Not in a handler.
  package func removeAll() {
    for descriptor in handlers.indices { remove(Int32(descriptor)) }
    handlers = []
    forgetRemoved()
  }

  private func forgetRemoved() {
    hasRemoved = false
    removed = []
  }

  /// The same for handlers that do not last. Not in a handler.
  package func removePassing() {
    for (descriptor, handler) in handlers.enumerated() where handler?.lasts == false { remove(Int32(descriptor)) }
    forgetRemoved()
  }

  private func handler(of descriptor: Int32) -> EventHandler? {
    handlers.indices.contains(Int(descriptor)) ? handlers[Int(descriptor)] : nil
  }

  /// Makes ``run()`` return after the handler that is running. Only on the loop's thread.
  package func stop() {
    isStopping = true
  }

  /// Makes ``run()`` return when all handlers have been called that are ready: who is told of a change alone, and is
  /// not called for it, would not hear of it any more. Only on the loop's thread.
  package func stopAfterBatch() {
    isEnding = true
  }

  /// Calls handlers until ``stop()``.
  ///
  /// - Throws: where the host refuses to wait.
  package func run() throws(HostError) {
    (isStopping, isEnding) = (false, false)
    // SAFETY: the buffer is this call's own and has room for as many events as the shim returns at most.
    let failure: HostError? = unsafe withUnsafeTemporaryAllocation(
      of: chost_event.self,
      capacity: Int(CHOST_EVENT_BATCH)
    ) { batch in
      guard let base = batch.baseAddress else { return nil }
      while !isStopping, !isEnding {
        let count = unsafe chost_epoll_wait(epoll.rawValue, base)
        if count == -EINTR { continue }
        guard count >= 0 else {
          return HostError("epoll_wait", errno: -count, advice: "this is a mistake of Apus; please report it")
        }
        batchNumber &+= 1
        for index in 0..<Int(count) {
          let event = unsafe base[index]
          guard let address = unsafe UnsafeRawPointer(bitPattern: UInt(event.token)) else { continue }
          // SAFETY: the token is the address of a handler that is held in one of the two collections.
          unsafe Unmanaged<EventHandler>.fromOpaque(address)._withUnsafeGuaranteedRef { handler in
            if handler.isWatching, handler.forgottenBatch != batchNumber { handler.ready(event.events) }
          }
          if isStopping { break }
        }
        if hasRemoved { forgetRemoved() }
      }
      return nil
    }
    if let failure { throw failure }
  }
}
