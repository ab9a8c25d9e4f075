internal import Synchronization

/// A number that grows, on any thread.
final class SharedCounter: Sendable {
  private let number = Atomic<UInt64>(0)

  var value: UInt64 { number.load(ordering: .relaxed) }

  func next() -> UInt64 { number.add(1, ordering: .relaxed).newValue }
}
