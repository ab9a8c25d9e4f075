/// What a device did with a chain that it took.
public enum ServedChain {
  /// It was given back, or will be.
  case done
  /// So it was, and is the last of this turn.
  case lastOfTurn
  /// Nothing can be done with it now, and it goes back into the ring: whoever is waited for calls the device, and a
  /// driver's notification would say nothing new. `again`: what is waited for is only the next turn.
  case notNow(again: Bool)
  /// It breaks the rules.
  case fault(DriverFault)
}

extension DeviceConnection {
  /// The rule by which a device works a queue off: while it works it needs no notifications; what it has done is
  /// published once for a batch; and when it finds nothing more it asks for a notification and looks again, since none
  /// comes for what was made available in between. After `turn` chains the other devices have theirs.
  ///
  /// It is part of its caller, closures included.
  ///
  /// - Parameters:
  ///   - queue: the device's.
  ///   - turn: how many chains there are to be at most.
  ///   - take: takes the next chain of the queue, to wherever the device has it.
  ///   - batchEnds: called before each publication, and before the device fails.
  ///   - serve: what the device does with the chain.
  /// - Returns: whether chains were left for the next turn.
  @inlinable
  @inline(__always)
  public func workOff(
    _ queue: SplitVirtqueue,
    turn: Int,
    take: () -> SplitVirtqueue.Next,
    batchEnds: () -> Void = {},
    serve: () -> ServedChain
  ) -> Bool {
    var left = turn
    queue.suppressNotifications()
    repeat {
      batch: while left > 0 {
        switch take() {
        case .empty: break batch
        case .fault(let fault):
          batchEnds()
          fail(queue: queue.index, fault)
          return false
        case .chain: break
        }
        switch serve() {
        case .done: left -= 1
        case .lastOfTurn: left = 0
        case .notNow(let again):
          queue.putBack(1)
          batchEnds()
          publish(queue)
          return again
        case .fault(let fault):
          batchEnds()
          fail(queue: queue.index, fault)
          return false
        }
      }
      batchEnds()
      publish(queue)
      if left == 0 { return true }
    } while queue.resumeNotifications()
    return false
  }
}
