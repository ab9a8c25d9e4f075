internal import CHost
internal import Glibc
package import Host

/// One client's socket. On the server's thread.
package final class ControlConnection {
  private let socket: OwnedDescriptor
  private let peer: ControlPeer
  private let table: ControlTable
  private var lines = ControlLines(limit: ControlProtocol.maximumLine)
  /// What is being sent.
  private var outgoing: ArraySlice<UInt8> = []
  private var hasInputEnded = false
  /// Why nothing more is taken from the client; it gets what was said, and then the end.
  private(set) var reason: String?
  /// When the client last took something, in nanoseconds of the monotonic clock.
  private(set) var lastProgress = HostClock.monotonic
  /// Whether the client has not taken what it could have.
  private(set) var isBlocked = false
  private var isBroken = false
  /// What the loop watches.
  var watched = EPOLLIN.rawValue

  /// How much one turn reads.
  private static let readSize = 64 << 10
  /// What may wait for a client before nothing more is taken from it, in bytes.
  private static let answerLimit = 256 << 10

  package init(_ socket: consuming OwnedDescriptor, _ peer: ControlPeer, _ table: ControlTable) {
    self.socket = socket
    self.peer = peer
    self.table = table
  }

  /// Whether there is nothing more to do for the client.
  package var isOver: Bool {
    if isBroken { return true }
    guard hasInputEnded || reason != nil else { return false }
    let load = peer.load
    guard load.openRequests == 0, load.bytes == 0, outgoing.isEmpty else { return false }
    // Who ends its requests and not the connection may go on to listen.
    return reason != nil || lines.isEmpty && !peer.hasSubscriptions
  }

  /// Whether the client may send something still.
  var hasInput: Bool { !hasInputEnded && reason == nil }

  private var takesRequests: Bool {
    let load = peer.load
    return reason == nil && load.openRequests < ControlServer.requestLimit
      && load.bytes + outgoing.count < Self.answerLimit
  }

  /// What to watch for.
  package var events: UInt32 {
    (hasInput && takesRequests ? EPOLLIN.rawValue : 0) | (isBlocked ? EPOLLOUT.rawValue : 0)
  }

  /// Reads what one turn has.
  package func read() {
    guard hasInput else { return }
    // SAFETY: the buffer is this call's own and its size goes along; what was read is copied.
    unsafe withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 16) { buffer in
      guard let base = buffer.baseAddress else { return }
      let count = unsafe chost_channel_read(socket.rawValue, true, base, buffer.count)
      switch count {
      case 1...: unsafe lines.append(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
      case 0: hasInputEnded = true
      case -Int64(EAGAIN): break
      default: isBroken = true
      }
    }
  }

  /// Answers what was read, and sends what there is.
  package func work() {
    // What is answered on this thread wakes nobody.
    repeat {
      peer.beginServing()
      answerLines()
    } while peer.endServing() && !isBlocked && !isBroken
  }

  private func answerLines() {
    while takesRequests, let line = lines.next(isLast: hasInputEnded) {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      answer(line)
      flush()
    }
    if lines.isTooLong, reason == nil {
      let message = "a line has more than \(ControlProtocol.maximumLine) bytes"
      peer.send(ControlMessage.error(ControlError(.invalidRequest, message), to: .null))
      reason = message
    }
    flush()
  }

  private func answer(_ line: [UInt8]) {
    peer.began()
    switch ControlRequest.read(line) {
    case .one(let request): call(request, nil, 0)
    case .batch(let requests):
      let batch = ControlBatch(count: requests.count)
      for (place, request) in requests.enumerated() { call(request, batch, place) }
    }
  }

  private func call(_ request: Result<ControlRequest, ControlRequest.Refusal>, _ batch: ControlBatch?, _ place: Int) {
    switch request {
    case .success(let request):
      table.call(request, ControlReply(peer, request.identifier, batch, place: place))
    case .failure(let refusal):
      ControlReply(peer, refusal.identifier, batch, place: place).fail(refusal.error)
    }
  }

  private func flush() {
    while !isBroken {
      if outgoing.isEmpty { outgoing = peer.takeOutgoing()[...] }
      guard !outgoing.isEmpty else {
        isBlocked = false
        return
      }
      // SAFETY: the buffer holds for the call.
      let written = unsafe outgoing.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return 0 as Int64 }
        return unsafe chost_output_write(socket.rawValue, true, base, bytes.count)
      }
      switch written {
      case 1...:
        outgoing = outgoing.dropFirst(Int(written))
        lastProgress = HostClock.monotonic
      case -Int64(EAGAIN):
        if !isBlocked { lastProgress = HostClock.monotonic }
        isBlocked = true
        return
      default: isBroken = true
      }
    }
  }

  /// Says why there is no service.
  func refuse(_ message: String) {
    peer.send(ControlMessage.error(ControlError(.refused, message), to: .null))
    flush()
    close()
  }

  /// Sends what there is, and waits for a client that does not take it until then, in nanoseconds of the monotonic
  /// clock.
  package func finish(by deadline: UInt64) {
    flush()
    while isBlocked, !isBroken {
      let now = HostClock.monotonic
      guard now < deadline,
        chost_wait(socket.rawValue, Int16(POLLOUT), Int32(clamping: (deadline - now) / 1_000_000 + 1))
      else { break }
      flush()
    }
    close()
  }

  /// Ends what there is for the client.
  package func close() { peer.close() }
}

/// Finds lines in what a client sends.
package struct ControlLines {
  /// The longest line, in bytes.
  package let limit: Int
  private var bytes: ArraySlice<UInt8> = []
  /// How many of these were looked at and have no line feed.
  private var searched = 0

  package init(limit: Int) {
    self.limit = limit
  }

  /// Takes what was read.
  @unsafe
  package mutating func append(_ more: UnsafeRawBufferPointer) {
    if bytes.isEmpty { bytes = [] }
    // SAFETY: the caller vouches for the bytes.
    unsafe bytes.append(contentsOf: more)
  }

  /// Whether nothing is left of what was read.
  var isEmpty: Bool { bytes.isEmpty }

  /// Whether there is a next line.
  var hasLine: Bool { bytes[(bytes.startIndex + searched)...].contains(0x0A) }

  /// Whether the line that has begun is longer than any may be.
  package var isTooLong: Bool { searched > limit }

  /// The next line, without its end.
  ///
  /// - Parameter isLast: whether nothing follows, so that what is there is a line.
  package mutating func next(isLast: Bool) -> [UInt8]? {
    guard let end = bytes[(bytes.startIndex + searched)...].firstIndex(of: 0x0A) else {
      searched = bytes.count
      guard isLast, !bytes.isEmpty, !isTooLong else { return nil }
      defer {
        bytes = []
        searched = 0
      }
      return Array(bytes)
    }
    guard end - bytes.startIndex <= limit else {
      searched = end - bytes.startIndex
      return nil
    }
    defer {
      bytes = bytes[(end + 1)...]
      searched = 0
    }
    return Array(bytes[..<end])
  }
}
