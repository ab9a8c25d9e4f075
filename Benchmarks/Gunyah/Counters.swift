internal import CCounts
internal import Glibc

/// What all threads of this program took so far. To be opened before there are others.
struct Counters {
  private let user = Self.open(true)
  private let kernel = Self.open(false)

  struct Counts {
    /// Instructions in user mode, and of the host's kernel.
    let user: UInt64
    let kernel: UInt64
    /// How often memory was taken from the heap.
    let allocations: UInt64

    func since(_ start: Counts) -> Counts {
      Counts(
        user: user - start.user,
        kernel: kernel - start.kernel,
        allocations: allocations - start.allocations
      )
    }
  }

  var counts: Counts {
    Counts(user: Self.take(user), kernel: Self.take(kernel), allocations: counts_allocations())
  }

  private static func open(_ isUser: Bool) -> Int32 {
    let counter = counts_open(isUser)
    guard counter >= 0 else { fatalError("no counter: it needs a host with --deterministic") }
    return counter
  }

  private static func take(_ counter: Int32) -> UInt64 {
    var count: UInt64 = 0
    // SAFETY: the variable is written as far as it goes.
    let size = unsafe withUnsafeMutableBytes(of: &count) { unsafe read(counter, $0.baseAddress, $0.count) }
    guard size == MemoryLayout<UInt64>.size else { fatalError("a counter cannot be read") }
    return count
  }
}
