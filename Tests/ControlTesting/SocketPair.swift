internal import Glibc

/// Both ends of a connection, within the process and on one thread.
package enum SocketPair {
  /// Two descriptors.
  package static func make() -> (Int32, Int32) {
    var numbers: [Int32] = [-1, -1]
    // SAFETY: the array has room for the two numbers.
    let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers)
    precondition(result == 0, "there are descriptors")
    return (numbers[0], numbers[1])
  }

  /// Has little fit on the way from one end.
  static func narrow(_ number: Int32) {
    var size: Int32 = 1
    // SAFETY: the value holds for the call and its size goes along.
    _ = unsafe setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends as much as fits.
  ///
  /// - Returns: how many bytes that were; nil where nobody takes any.
  package static func send(_ bytes: ArraySlice<UInt8>, to number: Int32, waits: Bool = false) -> Int? {
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe bytes.withUnsafeBytes { buffer in
      unsafe Glibc.send(
        number,
        buffer.baseAddress,
        buffer.count,
        Int32(MSG_NOSIGNAL) | (waits ? 0 : Int32(MSG_DONTWAIT))
      )
    }
    if count < 0, errno == EAGAIN { return 0 }
    return count < 0 ? nil : count
  }

  /// What is there to read; nil where nothing comes any more.
  package static func receive(_ number: Int32) -> [UInt8]? {
    let room = 64 << 10
    var count = 0
    // SAFETY: the buffer has room for so much.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, used in
      count = unsafe recv(number, buffer.baseAddress, room, Int32(MSG_DONTWAIT))
      used = Swift.max(0, count)
    }
    if count < 0, errno == EAGAIN { return [] }
    return count > 0 ? bytes : nil
  }
}
