package import Host
import Synchronization
package import VirtioDevices

/// The work that waits for a worker. For any thread.
package final class DiskQueue: Sendable {
  private struct State {
    /// A ring, allocated once.
    var requests: [DiskRequest?] = []
    var first = 0
    var count = 0
    var isClosed = false

    mutating func takeFirst() -> DiskRequest? {
      guard count > 0 else { return nil }
      defer {
        first = (first + 1) % requests.count
        count -= 1
      }
      return requests[first]
    }
  }

  private let state = Mutex(State())
  private let available = Gate()

  /// Told once, before anything else: at most so many requests wait at a time.
  package func prepare(requests: Int) {
    state.withLock { $0.requests = Array(repeating: nil, count: requests) }
  }

  /// Leaves requests to the workers: each takes the oldest.
  ///
  /// - Precondition: no more wait than ``prepare(requests:)`` was told.
  package func add(_ requests: [DiskRequest]) {
    state.withLock { state in
      precondition(state.count + requests.count <= state.requests.count, "a tag is used once at a time")
      for request in requests {
        state.requests[(state.first + state.count) % state.requests.count] = request
        state.count += 1
      }
    }
    for _ in requests { available.open() }
  }

  /// The next request, or nil when there will be none any more. Waits.
  package func next() -> DiskRequest? {
    while true {
      available.wait()
      let (request, isClosed) = state.withLock { ($0.takeFirst(), $0.isClosed) }
      if let request { return request }
      if isClosed {
        available.open()
        return nil
      }
    }
  }

  /// Drops what waits, and lets the workers end.
  package func close() {
    state.withLock { state in
      state.count = 0
      state.isClosed = true
    }
    available.open()
  }

  /// Fails what waits, where there is nobody to do it.
  package func failAll(into finished: CompletionBox) {
    while let request = state.withLock({ $0.takeFirst() }) { finished.add(request.tag, false) }
  }
}

/// What workers have finished and the device has not taken yet. For any thread.
package final class CompletionBox: Sendable {
  private let completions = Mutex<[BlockCompletion]>([])

  /// Signalled when there is something new.
  package let event: EventDescriptor

  /// - Throws: where the host has no descriptor left.
  package init() throws(HostError) {
    event = try EventDescriptor()
  }

  /// Told once, before anything else: at most so many are there at a time.
  package func prepare(requests: Int) {
    completions.withLock { $0.reserveCapacity(requests) }
  }

  /// Notes that a request is done, and wakes the device thread. From any thread.
  package func add(_ tag: UInt32, _ succeeded: Bool) {
    let wasEmpty = completions.withLock { completions in
      completions.append(BlockCompletion(tag: tag, succeeded: succeeded))
      return completions.count == 1
    }
    if wasEmpty { event.signal() }
  }

  /// - Returns: how many there were.
  package func take(into taken: inout [BlockCompletion]) -> Int {
    completions.withLock { completions in
      taken.append(contentsOf: completions)
      defer { completions.removeAll(keepingCapacity: true) }
      return completions.count
    }
  }
}
