import Gunyah
import TestSupport
import Testing

/// Linux's manner: who has heard that the queue is full or empty does nothing until its interrupt comes.
@Suite("Sides of a queue that wait for interrupts alone")
struct QueueProtocolTests {
  private struct Side {
    var isAwake: Bool
    /// An edge came that the side hasn't seen yet.
    var hasInterrupt = false

    /// Whether the side goes on: it does, or an interrupt has it go on.
    mutating func wakes() -> Bool {
      if hasInterrupt { (isAwake, hasInterrupt) = (true, false) }
      return isAwake
    }
  }

  @Test("statement 7: no order of steps leaves both sides waiting", arguments: [1, 2, 7, 8, 255], [false, true])
  func nobodyWaitsForEver(depth: Int, pushes: Bool) throws {
    var queue = MessageQueue(depth: depth, maximumSize: 8)
    var generator = SplitMix64(seed: UInt64(depth))
    var sender = Side(isAwake: true)
    var receiver = Side(isAwake: false)
    let count = Effort.cases(20_000)
    var (sent, received) = (0, 0)
    // How often in 16 steps it is the sender's turn changes, so that the queue is full and empty in turn.
    var share = 8

    for step in 0... {
      if step % 512 == 0 { share = Int.random(in: 1..<16, using: &generator) }
      let interrupts: MessageQueue.Interrupts
      if Int.random(in: 0..<16, using: &generator) < share {
        guard sent < count, sender.wakes() else { continue }
        let result = try queue.send([UInt8(truncatingIfNeeded: sent)], push: pushes)
        sent += 1
        sender.isAwake = result.isNotFull
        interrupts = result.interrupts
      } else {
        guard receiver.wakes() else {
          try #require(sent > received || sender.isAwake || sender.hasInterrupt, "both wait after \(sent)")
          try #require(queue.count == 0 || receiver.hasInterrupt, "the receiver sleeps beside a message")
          continue
        }
        let (message, result) = try queue.receive()
        try #require(message == [UInt8(truncatingIfNeeded: received)])
        received += 1
        receiver.isAwake = result.isNotEmpty
        interrupts = result.interrupts
      }
      if interrupts.contains(.sender) { sender.hasInterrupt = true }
      if interrupts.contains(.receiver) { receiver.hasInterrupt = true }
      if received == count { break }
    }

    #expect(queue.count == 0)
  }
}
