internal import Synchronization

/// Work that any thread posts for the one that runs an event loop, which does it there in its order.
package final class PostedWork: Sendable {
  private let event: SharedEventDescriptor
  private let pieces = Mutex<[@Sendable () -> Void]>([])

  /// - Parameters:
  ///   - loop: which does the work. What is posted here goes first, or the loop.
  ///   - lasts: whether it stays when others of the loop go; see ``EventLoop/removePassing()``.
  /// - Throws: where the host has no descriptor left.
  package init(_ loop: EventLoop, lasts: Bool = false) throws(HostError) {
    event = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(
      event.value.rawValue,
      EventLoop.readable,
      ClosureHandler(lasts: lasts) { [unowned self] _ in doAll() }
    )
  }

  private func doAll() {
    event.value.clear()
    let pieces = pieces.withLock { pieces in
      defer { pieces = [] }
      return pieces
    }
    for piece in pieces { piece() }
  }

  /// Has something done. On any thread.
  package func post(_ piece: @escaping @Sendable () -> Void) {
    let isFirst = pieces.withLock { pieces in
      pieces.append(piece)
      return pieces.count == 1
    }
    if isFirst { event.value.signal() }
  }

  /// Has something done, and waits until it says that it is. On any thread but the loop's.
  package func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let gate = Gate()
    post { work { gate.open() } }
    gate.wait()
  }

  /// Forgets what is not done yet: it may hold what holds this.
  package func forget() {
    pieces.withLock { $0 = [] }
  }
}
