package import Host
internal import Synchronization
internal import TestLimits
public import Virtio

/// The test's own thread as a device thread: what is posted runs while the test waits for something.
public final class PumpedThread: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: what is posted has a lock; the loop is the test's thread's.

  package let loop: EventLoop
  private let posted: PostedWork
  private let tick: SharedTimer

  public init() throws {
    loop = try EventLoop()
    posted = try PostedWork(loop)
    tick = SharedTimer(try HostTimer())
    _ = try loop.add(
      tick.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        tick.value.clear()
        loop.stopAfterBatch()
      }
    )
    tick.value.arm(after: 1_000_000, every: 1_000_000)
  }

  public func post(_ work: @escaping @Sendable () -> Void) { posted.post(work) }

  public func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let over = Flag()
    work { over.set() }
    pump { over.isSet }
  }

  /// Has what is ready done, and waits for a moment for more.
  func turn() { try? loop.run() }

  /// Nothing is done any longer, also of what was posted, which may hold what holds this.
  func end() {
    loop.removeAll()
    posted.forget()
  }

  /// Lets the device work until something holds.
  ///
  /// - Returns: false where the time is over.
  @discardableResult
  public func pump(_ limit: Duration = .seconds(20), until condition: () -> Bool) -> Bool {
    let limit = TestLimit(limit)
    while !condition() {
      if limit.hasPassed { return false }
      try? loop.run()
    }
    return true
  }
}

/// Something that has happened or not.
public final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  public init() {}

  public var isSet: Bool { value.load(ordering: .acquiring) }

  public func set() { value.store(true, ordering: .releasing) }
}
