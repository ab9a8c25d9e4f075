/// What of a device's addresses its requests under way have looked up, so that an IOMMU need not have the device rest
/// for a mapping that nothing uses.
///
/// A request is known by its queue and the first descriptor of its chain. The storage grows with what is under way at
/// the same time, and stays.
struct DMAHolds {
  private struct Hold {
    var first: UInt64
    var last: UInt64
    var queue: Int
    var head: Int
  }

  /// In no order: those of a few requests as a rule, and looked through as a whole.
  private var holds: [Hold] = []

  /// A request is looked up, anew where it was before.
  mutating func begin(queue: Int, head: Int) { end(queue: queue, head: head) }

  /// - Precondition: `count` is at least 1, and does not reach beyond the last address.
  mutating func add(_ address: UInt64, count: UInt64, queue: Int, head: Int) {
    holds.append(Hold(first: address, last: address + (count - 1), queue: queue, head: head))
  }

  /// The request is over.
  mutating func end(queue: Int, head: Int) { remove { $0.queue == queue && $0.head == head } }

  /// All requests of a queue are over, or of all queues.
  mutating func endAll(of queue: Int?) { remove { queue == nil || $0.queue == queue } }

  private mutating func remove(_ isOver: (Hold) -> Bool) {
    var index = 0
    while index < holds.count {
      if isOver(holds[index]) {
        holds.swapAt(index, holds.count - 1)
        holds.removeLast()
      } else {
        index += 1
      }
    }
  }

  /// Whether a request under way has looked something up in a run of addresses.
  func overlap(_ run: ClosedRange<UInt64>) -> Bool {
    for hold in holds where hold.first <= run.upperBound && hold.last >= run.lowerBound { return true }
    return false
  }
}

extension DMASpace {
  /// Whether a request under way has looked something up in a run of the device's addresses. Known where there is a
  /// translation.
  public func isHeld(_ run: ClosedRange<UInt64>) -> Bool { holds.overlap(run) }

  /// The device touches nothing any longer that requests of a queue have looked up; `nil`: of any queue.
  public func releaseHolds(of queue: Int?) { holds.endAll(of: queue) }
}
