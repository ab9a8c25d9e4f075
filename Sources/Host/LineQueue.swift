internal import Synchronization

/// Lines on their way to an output that may stop taking them: standard error, a transcript.
///
/// Appending never waits and holds no lock over a write that may. What finds no room is dropped whole and counted, and
/// how much it was is said where the lines would stand, as soon as there is room. For any thread.
package final class LineQueue: Sendable {
  private let outlet: Outlet
  private let dropped = Mutex((all: 0, untold: 0))
  /// What stands for so many lines that were dropped.
  private let loss: @Sendable (_ count: Int) -> [UInt8]

  /// - Parameters:
  ///   - outlet: the queue's alone.
  ///   - loss: the line, with its end, that stands for so many dropped ones; empty for none.
  package init(
    _ outlet: Outlet,
    loss: @escaping @Sendable (_ count: Int) -> [UInt8]
  ) {
    self.outlet = outlet
    self.loss = loss
    // The reader is back, and no other line may come any more.
    outlet.whenIdle { [weak self] in self?.tellLoss() }
  }

  /// How many lines were dropped.
  package var droppedCount: Int { dropped.withLock { $0.all } }

  /// Whether all that was appended is written, and no loss is to be told.
  package var isEmpty: Bool { dropped.withLock { $0.untold == 0 && outlet.pending == 0 } }

  /// Why nothing can be written any more, or 0.
  package var failure: Int32 { outlet.failure }

  /// Appends a line with its end.
  ///
  /// - Returns: whether it was taken.
  @discardableResult
  package func append(_ line: [UInt8]) -> Bool {
    dropped.withLock { dropped in
      // Only with the next line that is taken: what is said of one loss must not fill the room that another line lacks.
      if outlet.append(dropped.untold > 0 ? loss(dropped.untold) + line : line) {
        dropped.untold = 0
        return true
      }
      dropped.all += 1
      dropped.untold += 1
      return false
    }
  }

  private func tellLoss() {
    dropped.withLock { dropped in
      if dropped.untold > 0, outlet.append(loss(dropped.untold)) { dropped.untold = 0 }
    }
  }

  /// Waits until everything is written, or nothing can be.
  ///
  /// - Parameters:
  ///   - deadline: until when at most, in nanoseconds of the monotonic clock.
  ///   - shouldStop: looked at meanwhile.
  /// - Returns: whether nothing is left.
  @discardableResult
  package func finish(by deadline: UInt64, shouldStop: () -> Bool = { false }) -> Bool {
    tellLoss()
    return outlet.finish(by: deadline, shouldStop: shouldStop)
  }

  /// Ends the writing thread, or leaves it alone with what it waits for.
  package func close() {
    outlet.close()
  }
}
