import Gunyah
import Synchronization
import TestSupport
import Testing

@Suite("Message queues between threads")
struct SharedQueueTests {
  /// A queue as a machine has it, with what its interrupts came to.
  private final class SharedQueue: Sendable {
    let queue = Mutex(MessageQueue())
    let room = Atomic(0)
    let messages = Atomic(0)

    func raise(_ interrupts: MessageQueue.Interrupts) {
      if interrupts.contains(.sender) { room.add(1, ordering: .relaxed) }
      if interrupts.contains(.receiver) { messages.add(1, ordering: .relaxed) }
    }

    /// Whether it was sent; nil where the queue was full.
    func send(_ number: UInt64) -> Bool {
      let sent = queue.withLock { queue in
        // SAFETY: the place is 8 bytes long and aligned to them.
        try? unsafe queue.send(size: 8, push: false) { unsafe $0.storeBytes(of: number, as: UInt64.self) }
      }
      if let sent { raise(sent.interrupts) }
      return sent != nil
    }

    func receive() -> UInt64? {
      var number: UInt64 = 0
      let received = queue.withLock { queue in
        // SAFETY: the message is 8 bytes long and aligned to them.
        try? unsafe queue.receive(capacity: 8) { number = unsafe $0.load(as: UInt64.self) }
      }
      guard let received else { return nil }
      raise(received.interrupts)
      return number
    }
  }

  @Test(
    "statement 7: of a million messages of two senders none is lost, doubled or overtaken by its sender's later ones"
  )
  func twoSenders() async {
    let shared = SharedQueue()
    let count = UInt64(Effort.cases(500_000))

    await withTaskGroup(of: Void.self) { group in
      for sender in 0..<2 as Range<UInt64> {
        group.addTask {
          for number in 0..<count {
            while !shared.send(sender << 32 | number) { await Task.yield() }
          }
        }
      }
      var next: [UInt64] = [0, 0]
      var strangers = 0
      while next[0] + next[1] < 2 * count {
        guard let message = shared.receive() else {
          await Task.yield()
          continue
        }
        let sender = Int(message >> 32)
        if message & 0xFFFF_FFFF == next[sender] { next[sender] += 1 } else { strangers += 1 }
      }
      #expect(strangers == 0)
      #expect(next == [count, count])
    }

    #expect(shared.receive() == nil)
    #expect(shared.messages.load(ordering: .relaxed) > 0)
  }
}
