/// What of a device's addresses its requests under way have looked up, so that an IOMMU need not have the device rest
/// for a mapping that nothing uses.
///
/// A request is known by its queue and the first descriptor of its chain. The storage grows with what is under way at
/// the same time, and stays.
struct DMAHolds {
  /// By queue, then by first descriptor.
  private var runs: [[[ClosedRange<UInt64>]]] = []

  /// A request is looked up, anew where it was before.
  mutating func begin(queue: Int, head: Int) {
    while runs.count <= queue { runs.append([]) }
    while runs[queue].count <= head { runs[queue].append([]) }
    runs[queue][head].removeAll(keepingCapacity: true)
  }

  /// - Precondition: the request has begun; `count` is at least 1, and does not reach beyond the last address.
  mutating func add(_ address: UInt64, count: UInt64, queue: Int, head: Int) {
    runs[queue][head].append(address...address + (count - 1))
  }

  /// The request is over.
  mutating func end(queue: Int, head: Int) {
    guard runs.indices.contains(queue), runs[queue].indices.contains(head) else { return }
    runs[queue][head].removeAll(keepingCapacity: true)
  }

  /// All requests of a queue are over, or of all queues.
  mutating func endAll(of queue: Int?) {
    for index in runs.indices where queue == nil || queue == index {
      for head in runs[index].indices { runs[index][head].removeAll(keepingCapacity: true) }
    }
  }

  /// Whether a request under way has looked something up in a run of addresses.
  func overlap(_ run: ClosedRange<UInt64>) -> Bool {
    for queue in runs {
      for request in queue where request.contains(where: { $0.overlaps(run) }) { return true }
    }
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
