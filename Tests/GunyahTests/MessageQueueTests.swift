import Gunyah
import GunyahTesting
import Testing

@Suite("Message queues")
struct MessageQueueTests {
  private typealias Sent = MessageQueue.Sent
  private typealias Received = MessageQueue.Received

  @Test("a message comes out as it went in, up to the last byte of the longest")
  func messageIsMovedWhole() throws {
    var queue = MessageQueue()
    let message = (0..<240).map { UInt8($0) }

    _ = try queue.send(message)
    let (copy, received) = try queue.receive()

    #expect(copy == message)
    #expect(received.size == 240)
  }

  @Test("messages come in the order in which they went, around the end of the storage")
  func messagesKeepTheirOrder() throws {
    var queue = MessageQueue(depth: 3, maximumSize: 5)
    var out: [[UInt8]] = []

    for number in 0..<100 as Range<UInt8> {
      _ = try queue.send([UInt8](repeating: number, count: 1 + Int(number) % 5))
      if number % 3 == 2 {
        for _ in 0..<3 { out.append(try queue.receive().message) }
      }
    }

    #expect(out == (0..<99 as Range<UInt8>).map { [UInt8](repeating: $0, count: 1 + Int($0) % 5) })
    #expect(queue.count == 1)
  }

  @Test("statement 4: a size of 0 or beyond the longest is 2, and nothing is copied", arguments: [0, 241, UInt64.max])
  func badSizeIsTold(size: UInt64) {
    let queue = TestQueue()

    #expect(queue.send(size: size) == .failure(.argumentSize))
    #expect(queue.copies == 0)
    #expect(queue.queue.count == 0)
  }

  @Test("statement 4: room for 239 bytes of 240 is 20, and the message stays")
  func shortBufferIsTold() {
    let queue = TestQueue()
    _ = queue.send(size: 240, byte: 7)

    #expect(queue.receive(capacity: 239) == .failure(.addressOverflow))
    #expect(queue.copies == 1)

    #expect(queue.receive(capacity: 240) == .success(Received(size: 240, isNotEmpty: false, interrupts: [])))
    #expect(queue.message == [UInt8](repeating: 7, count: 240))
  }

  @Test(
    "statement 4: what can't be copied in is told, and nothing is queued",
    arguments: [GunyahError.addressInvalid, .denied]
  )
  func failedSendQueuesNothing(failure: GunyahError) {
    let queue = TestQueue()

    #expect(queue.send(size: 8, byte: 1, push: true, failing: failure) == .failure(failure))
    #expect(queue.queue.count == 0)
    #expect(queue.receive() == .failure(.messageQueueEmpty))

    #expect(queue.send(size: 8, byte: 2) == .success(Sent(isNotFull: true, interrupts: .receiver)))
    _ = queue.receive()
    #expect(queue.message == [UInt8](repeating: 2, count: 8))
  }

  @Test("statement 4: what can't be copied out is told, and the message stays")
  func failedReceiveKeepsMessage() {
    let queue = TestQueue()
    _ = queue.send(size: 8, byte: 1)

    #expect(queue.receive(failing: .addressInvalid) == .failure(.addressInvalid))
    #expect(queue.queue.count == 1)
    #expect(queue.receive() == .success(Received(size: 8, isNotEmpty: false, interrupts: [])))
  }

  @Test("a full queue says so before it looks at the size, an empty one before it looks at the room")
  func stateComesFirst() {
    let queue = TestQueue(depth: 1)

    #expect(queue.receive(capacity: 0, failing: .denied) == .failure(.messageQueueEmpty))
    _ = queue.send(size: 1)
    #expect(queue.send(size: 0, failing: .denied) == .failure(.messageQueueFull))
    #expect(queue.copies == 1)
  }

  @Test("statement 5: eight sends fill a queue, and the first receive alone interrupts the sender")
  func fullQueueInterruptsSenderOnce() {
    let queue = TestQueue()

    let sends = (0..<9).map { _ in queue.send(size: 240) }
    let receives = (0..<9).map { _ in queue.receive() }

    let expectedSends: [Result<Sent, GunyahError>] = (0..<8).map {
      .success(Sent(isNotFull: $0 < 7, interrupts: $0 == 0 ? .receiver : []))
    }
    let expectedReceives: [Result<Received, GunyahError>] = (0..<8).map {
      .success(Received(size: 240, isNotEmpty: $0 < 7, interrupts: $0 == 0 ? .sender : []))
    }
    #expect(Array(sends.prefix(8)) == expectedSends)
    #expect(sends.last == .failure(.messageQueueFull))
    #expect(Array(receives.prefix(8)) == expectedReceives)
    #expect(receives.last == .failure(.messageQueueEmpty))
  }

  @Test("statement 6: with a threshold of 4 the receiver is interrupted at the fourth message alone")
  func thresholdOfReceiver() {
    let queue = TestQueue()

    #expect(queue.configureReceiver(4) == .success([]))
    let interrupts = (0..<8).map { _ in try? queue.send(size: 1).get().interrupts }

    #expect(interrupts == [[], [], [], .receiver, [], [], [], []])
  }

  @Test("statement 6: a push interrupts the receiver at once, however high the threshold")
  func pushInterruptsAtOnce() {
    let queue = TestQueue()
    _ = queue.configureReceiver(4)

    #expect(queue.send(size: 1, push: true) == .success(Sent(isNotFull: true, interrupts: .receiver)))
  }

  @Test("statement 6: thresholds of the receiver that can't be are 1, and a delay is -1")
  func badConfigurationOfReceiver() {
    let queue = TestQueue()

    #expect(queue.configureReceiver(0) == .failure(.argumentInvalid))
    #expect(queue.configureReceiver(9) == .failure(.argumentInvalid))
    #expect(queue.configureReceiver(1 << 32 | 4) == .failure(.argumentInvalid))
    #expect(queue.configureReceiver(0, delay: 5) == .failure(.argumentInvalid))
    #expect(queue.configureReceiver(4, delay: 5) == .failure(.unimplemented))
    #expect(queue.queue.notEmptyThreshold == 1)
  }

  @Test("statement 6: thresholds of the sender that can't be are 1, and a delay is -1")
  func badConfigurationOfSender() {
    let queue = TestQueue()

    #expect(queue.configureSender(8) == .failure(.argumentInvalid))
    #expect(queue.configureSender(.max - 1) == .failure(.argumentInvalid))
    #expect(queue.configureSender(3, delay: 0) == .failure(.unimplemented))
    #expect(queue.queue.notFullThreshold == 7)
  }

  @Test("-1 keeps a threshold, in 32 bits and in 64", arguments: [UInt64.max, 0xFFFF_FFFF])
  func minusOneKeepsThreshold(unchanged: UInt64) {
    let queue = TestQueue()
    _ = queue.configureReceiver(3)
    _ = queue.configureSender(2)

    #expect(queue.configureReceiver(unchanged, delay: unchanged) == .success([]))
    #expect(queue.configureSender(unchanged, delay: unchanged) == .success(.sender))

    #expect(queue.queue.notEmptyThreshold == 3)
    #expect(queue.queue.notFullThreshold == 2)
  }

  @Test("-2 makes the receiver's threshold the depth, and interrupts nobody though the queue is full")
  func minusTwoIsDepth() {
    let queue = TestQueue(depth: 2)
    _ = queue.send(size: 1)
    _ = queue.send(size: 1)

    #expect(queue.configureReceiver(.max - 1) == .success([]))
    #expect(queue.queue.notEmptyThreshold == 2)
  }

  @Test("a threshold that holds already interrupts when it is set")
  func thresholdIsLookedAt() {
    let queue = TestQueue()
    for _ in 0..<4 { _ = queue.send(size: 1) }

    #expect(queue.configureReceiver(5) == .success([]))
    #expect(queue.configureReceiver(4) == .success(.receiver))
    #expect(queue.configureSender(3) == .success([]))
    #expect(queue.configureSender(4) == .success(.sender))
  }

  @Test("a sender's threshold of 0 interrupts it when the queue has become empty")
  func senderWaitsForEmptyQueue() {
    let queue = TestQueue(depth: 3)
    _ = queue.configureSender(0)
    for _ in 0..<3 { _ = queue.send(size: 1) }

    let interrupts = (0..<3).map { _ in try? queue.receive().get().interrupts }

    #expect(interrupts == [[], [], .sender])
  }

  @Test("a flush drops all messages and interrupts the sender; of none it interrupts nobody")
  func flushDropsMessages() {
    let queue = TestQueue()
    for _ in 0..<8 { _ = queue.send(size: 1) }

    #expect(queue.queue.flush() == .sender)
    #expect(queue.queue.flush() == [])
    #expect(queue.receive() == .failure(.messageQueueEmpty))
    #expect(queue.send(size: 1) == .success(Sent(isNotFull: true, interrupts: .receiver)))
  }

  @Test("the deepest queue and the longest message have room")
  func largestQueue() {
    let queue = TestQueue(depth: 255, maximumSize: 1023)

    for number in 0..<255 as Range<UInt8> { _ = queue.send(size: 1023, byte: number) }

    for number in 0..<255 as Range<UInt8> {
      _ = queue.receive()
      #expect(queue.message == [UInt8](repeating: number, count: 1023))
    }
  }
}
