internal import Support

/// What is done many times, and how long it took.
struct Loops {
  let regime: Guarded.Regime?

  private func call(_ number: UInt64, _ x1: UInt64, _ x2: UInt64, _ x3: UInt64, _ x4: UInt64 = 0) -> Guarded {
    Guarded(.hvc, number, x1, x2, x3, x4, regime: regime)
  }

  /// How a loop gets on that tries again where nothing moves.
  private struct Pace {
    private let start = VirtualTimer.count
    private var last: UInt64
    private var retries: UInt64 = 0
    /// The longest time between two messages, in ticks.
    private var longest: UInt64 = 0

    init() { last = start }

    /// A message has moved.
    mutating func moved() {
      let now = VirtualTimer.count
      longest = max(longest, now - last)
      last = now
    }

    /// Waits for what does not come; false when the last message was 20 s ago.
    mutating func goesOn() -> Bool {
      Interrupts.wait(milliseconds: 1)
      guard VirtualTimer.count - last < 20 * VirtualTimer.frequency else { return false }
      retries += 1
      return true
    }

    /// Ends an answer: `RETRIES ERROR TICKS LONGEST`.
    func put(error: UInt64, _ answer: inout Answer) {
      answer.put(retries)
      answer.put(error)
      answer.put(VirtualTimer.count - start)
      answer.put(longest)
    }
  }

  /// Sends numbers from `first` on, eight bytes each at the start and, where there is room, at the end of a message:
  /// `ok SENT RETRIES ERROR TICKS LONGEST`.
  func send(_ queue: UInt64, at address: UInt64, size: UInt64, count: UInt64, first: UInt64, _ answer: inout Answer) {
    var sent: UInt64 = 0
    var error: UInt64 = 0
    var pace = Pace()
    while sent < count, error == 0 {
      DeviceRegister(UInt(address)).write64(first &+ sent)
      if size >= 16 { DeviceRegister(UInt(address + size - 8)).write64(first &+ sent) }
      let result = call(Hypercall.send, queue, size, address)
      if result.registers.0 == 0, result.abort == nil {
        sent += 1
        pace.moved()
      } else if result.registers.0 != Hypercall.full || !pace.goesOn() {
        error = result.registers.0
      }
    }
    answer.put("ok")
    answer.put(sent)
    pace.put(error: error, &answer)
  }

  /// Receives `count` messages and checks their numbers: what is in the upper eight bits tells the sender, 0 to 7, and
  /// the numbers of one are in their order: `ok RECEIVED WRONG RETRIES ERROR TICKS LONGEST`.
  func receive(_ queue: UInt64, at address: UInt64, size: UInt64, count: UInt64, _ answer: inout Answer) {
    var next = InlineArray<8, UInt64>(repeating: 0)
    var received: UInt64 = 0
    var wrong: UInt64 = 0
    var error: UInt64 = 0
    var pace = Pace()
    while received < count, error == 0 {
      let result = call(Hypercall.receive, queue, address, size)
      if result.registers.0 == 0, result.abort == nil {
        received += 1
        let number = DeviceRegister(UInt(address)).read64()
        let length = result.registers.1
        let sender = Int(number >> 56)
        let isWhole = length < 16 || DeviceRegister(UInt(address + length - 8)).read64() == number
        if sender < 8, number & 0xFF_FFFF_FFFF_FFFF == next[sender], isWhole {
          next[sender] += 1
        } else {
          wrong += 1
        }
        pace.moved()
      } else if result.registers.0 != Hypercall.empty || !pace.goesOn() {
        error = result.registers.0
      }
    }
    answer.put("ok")
    answer.put(received)
    answer.put(wrong)
    pace.put(error: error, &answer)
  }

  /// Sends messages, and makes no call but these: where one fills the queue, it waits for the sender's interrupt, which
  /// has come `seen` times before: `ok SENT WAITS ERROR TICKS`.
  func pour(_ end: End, at address: UInt64, size: UInt64, count: UInt64, _ answer: inout Answer) {
    var seen = end.seen
    var (sent, waits, error) = (0 as UInt64, 0 as UInt64, 0 as UInt64)
    var isFull = false
    let start = VirtualTimer.count
    while sent < count, error == 0 {
      if isFull {
        waits += 1
        seen = Interrupts.wait(for: end.interrupt, toExceed: seen)
      }
      let result = call(Hypercall.send, end.queue, size, address).registers
      isFull = result.0 == Hypercall.full || result.1 == 0
      // An interrupt from before the queue was filled again.
      guard result.0 != Hypercall.full else { continue }
      error = result.0
      if error == 0 { sent += 1 }
    }
    answer.put("ok")
    answer.put(sent)
    answer.put(waits)
    answer.put(error)
    answer.put(VirtualTimer.count - start)
  }

  /// Receives messages in the same way: `ok RECEIVED WAITS ERROR TICKS`.
  func drain(_ end: End, at address: UInt64, size: UInt64, count: UInt64, _ answer: inout Answer) {
    var seen = end.seen
    var (received, waits, error) = (0 as UInt64, 0 as UInt64, 0 as UInt64)
    var isEmpty = true
    let start = VirtualTimer.count
    while received < count, error == 0 {
      if isEmpty {
        waits += 1
        seen = Interrupts.wait(for: end.interrupt, toExceed: seen)
      }
      let result = call(Hypercall.receive, end.queue, address, size).registers
      isEmpty = result.2 == 0
      // An interrupt of a message that was taken before it.
      guard result.0 != Hypercall.empty else { continue }
      error = result.0
      if error == 0 { received += 1 }
    }
    answer.put("ok")
    answer.put(received)
    answer.put(waits)
    answer.put(error)
    answer.put(VirtualTimer.count - start)
  }

  /// An end of a queue, with its interrupt.
  struct End {
    let queue: UInt64
    let interrupt: UInt32
    /// How often it has come.
    let seen: UInt64
  }

  /// Sends and receives messages in turn with a puppet that does the same, and makes no call but these: it waits for
  /// the receiver's interrupt, which has come `seen` times before: `ok RECEIVED ERROR TICKS`.
  func exchange(
    _ queues: (send: UInt64, receive: UInt64),
    interrupt: UInt32,
    seen: UInt64,
    at address: UInt64,
    size: UInt64,
    count: UInt64,
    isFirst: Bool,
    _ answer: inout Answer
  ) {
    var received: UInt64 = 0
    var error: UInt64 = 0
    let start = VirtualTimer.count
    if isFirst { error = call(Hypercall.send, queues.send, size, address).registers.0 }
    while received < count, error == 0 {
      _ = Interrupts.wait(for: interrupt, toExceed: seen + received)
      error = call(Hypercall.receive, queues.receive, address, size).registers.0
      if error == 0 { received += 1 }
      // Who began does not answer the last one.
      guard error == 0, !isFirst || received < count else { break }
      error = call(Hypercall.send, queues.send, size, address).registers.0
    }
    answer.put("ok")
    answer.put(received)
    answer.put(error)
    answer.put(VirtualTimer.count - start)
  }

  /// Rings a doorbell, and takes the interrupts that pend: `ok RUNG FAILED TICKS`.
  func ring(_ doorbell: UInt64, flags: UInt64, count: UInt64, _ answer: inout Answer) {
    var failed: UInt64 = 0
    let start = VirtualTimer.count
    for _ in 0..<count {
      if call(Hypercall.ring, doorbell, flags, 0).registers.0 != 0 { failed += 1 }
      Interrupts.poll()
    }
    answer.put("ok")
    answer.put(count - failed)
    answer.put(failed)
    answer.put(VirtualTimer.count - start)
  }

  /// Calls with capabilities at random: `ok OTHERS CALL CAPABILITY RESULT`, with how many results were neither 1 nor
  /// 50, and the last of them.
  func guess(seed: UInt64, count: UInt64, _ answer: inout Answer) {
    let calls: InlineArray<10, UInt64> = [0x12, 0x13, 0x14, 0x15, 0x1B, 0x1C, 0x1D, 0x1F, 0x20, 0x65]
    var state = seed | 1
    var others: UInt64 = 0
    var last: (UInt64, UInt64, UInt64) = (0, 0, 0)
    for _ in 0..<count {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      let number = 0xC600_8000 + calls[Int(state >> 32 % 10)]
      let result = call(number, state &* 0x2545_F491_4F6C_DD1D, state & 0xFF, UInt64(Memory.message))
      guard result.registers.0 != Hypercall.invalid, result.registers.0 != Hypercall.noObject else { continue }
      others += 1
      last = (number, state &* 0x2545_F491_4F6C_DD1D, result.registers.0)
    }
    answer.put("ok")
    answer.put(others)
    answer.put(last.0)
    answer.put(last.1)
    answer.put(last.2)
  }
}
