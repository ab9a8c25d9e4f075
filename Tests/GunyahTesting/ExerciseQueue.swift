internal import Gunyah

/// A queue and a model of it that is too simple to be wrong, side by side.
struct ExerciseQueue {
  private let queue: TestQueue
  private let depth: Int
  private let maximumSize: Int
  private var messages: [[UInt8]] = []
  private var notFull: Int
  private var notEmpty = 1

  init(_ input: inout InputBytes) {
    depth = 1 + Int(input.byte()) % 255
    maximumSize = 1 + Int(input.byte()) * 4 % 1023
    queue = TestQueue(depth: depth, maximumSize: maximumSize)
    notFull = depth - 1
  }

  mutating func step(_ operation: UInt8, _ input: inout InputBytes) {
    switch operation % 8 {
    case 0...2: send(&input)
    case 3...5: receive(&input)
    case 6: configure(isSender: input.byte() % 2 == 0, threshold: input.number(), delay: input.number())
    default:
      let expected: MessageQueue.Interrupts = messages.isEmpty ? [] : .sender
      messages = []
      precondition(queue.queue.flush() == expected, "a flush is heard of where it dropped something")
    }
    precondition(queue.queue.count == messages.count, "messages are counted")
    precondition(queue.queue.notFullThreshold == notFull && queue.queue.notEmptyThreshold == notEmpty, "a threshold")
  }

  private mutating func send(_ input: inout InputBytes) {
    let (shape, size, byte) = (input.byte(), input.number(), input.byte())
    let failure: GunyahError? = shape % 8 == 7 ? .addressInvalid : nil
    let push = shape & 0x80 != 0
    let result = queue.send(size: size, byte: byte, push: push, failing: failure)
    if messages.count == depth {
      precondition(result == .failure(.messageQueueFull), "a full queue says so first")
    } else if size == 0 || size > UInt64(maximumSize) {
      precondition(result == .failure(.argumentSize), "a bad size is told")
    } else if let failure {
      precondition(result == .failure(failure), "what failed to be copied is told")
    } else {
      messages.append([UInt8](repeating: byte, count: Int(size)))
      let interrupts: MessageQueue.Interrupts = push || messages.count == notEmpty ? .receiver : []
      let sent = MessageQueue.Sent(isNotFull: messages.count != depth, interrupts: interrupts)
      precondition(result == .success(sent), "a message is sent")
    }
  }

  private mutating func receive(_ input: inout InputBytes) {
    let (shape, capacity) = (input.byte(), input.number())
    let failure: GunyahError? = shape % 8 == 7 ? .denied : nil
    let result = queue.receive(capacity: capacity, failing: failure)
    guard let message = messages.first else {
      precondition(result == .failure(.messageQueueEmpty), "an empty queue says so first")
      return
    }
    if capacity < UInt64(message.count) {
      precondition(result == .failure(.addressOverflow), "a short buffer is told")
    } else if let failure {
      precondition(result == .failure(failure), "what failed to be copied is told")
    } else {
      messages.removeFirst()
      let received = MessageQueue.Received(
        size: message.count,
        isNotEmpty: !messages.isEmpty,
        interrupts: messages.count == notFull ? .sender : []
      )
      precondition(result == .success(received), "a message is received")
      precondition(queue.message == message, "a message is what was sent")
    }
  }

  private mutating func configure(isSender: Bool, threshold: UInt64, delay: UInt64) {
    let result =
      isSender
      ? queue.configureSender(threshold, delay: delay)
      : queue.configureReceiver(threshold, delay: delay)
    let keeps: [UInt64] = [.max, UInt64(UInt32.max)]
    let takesDepth: [UInt64] = [.max - 1, UInt64(UInt32.max) - 1]
    var new = isSender ? notFull : notEmpty
    if !isSender, takesDepth.contains(threshold) {
      new = depth
    } else if !keeps.contains(threshold) {
      let allowed = isSender ? UInt64(0)...UInt64(depth - 1) : UInt64(1)...UInt64(depth)
      guard allowed.contains(threshold) else {
        precondition(result == .failure(.argumentInvalid), "a threshold that can't be is told first")
        return
      }
      new = Int(threshold)
    }
    guard keeps.contains(delay) else {
      precondition(result == .failure(.unimplemented), "there are no delays")
      return
    }
    if isSender {
      notFull = new
      precondition(result == .success(messages.count <= new ? .sender : []), "the sender's line is looked at")
    } else {
      notEmpty = new
      let isRaised = messages.count >= new && !takesDepth.contains(threshold)
      precondition(result == .success(isRaised ? .receiver : []), "the receiver's line is looked at")
    }
  }
}
