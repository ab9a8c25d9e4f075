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
