internal import Glibc
internal import TestLimits

/// Whether the descriptor can be read within so many milliseconds.
public func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
  var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  // SAFETY: the request is this call's own, and the only one.
  guard milliseconds > 1000 else { return unsafe poll(&request, 1, milliseconds) == 1 }
  let limit = TestLimit(.milliseconds(milliseconds))
  while !limit.hasPassed {
    if unsafe poll(&request, 1, 100) == 1 { return true }
  }
  return false
}

/// Whether a condition holds within a time; looks at it every hundredth of a second until then.
///
/// - Parameter process: a process that it depends on, besides the test's own.
public func becomesTrue(
  within limit: Duration = .seconds(60),
  for process: Int32? = nil,
  _ condition: () throws -> Bool
) rethrows -> Bool {
  let limit = TestLimit(limit, for: process)
  while try !condition() {
    if limit.hasPassed { return false }
    usleep(10_000)
  }
  return true
}
