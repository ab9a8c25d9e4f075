internal import Support

/// Where command lines come from and answers go to: lines that end with a line feed.
struct Link {
  private enum Kind {
    case console(Console)
    /// Capabilities of a pair of message queues. A line is the contents of as many messages as it takes.
    case queues(send: UInt64, receive: UInt64)
  }

  private let kind: Kind
  /// What of the last message has not been taken.
  private var position = 0
  private var count = 0

  /// The PL011 of the device tree, or the first pair of message queues that does not lead to the resource manager;
  /// `nil` if there is neither. Starts interrupts.
  init?() {
    let tree = DeviceTree.current
    if let node = tree.firstNode(compatibleWith: "arm,pl011") {
      let console = Console()
      kind = .console(console)
      Interrupts.start(console: console, interrupt: node.interrupt)
      return
    }
    let pair = tree.firstNode { node in
      guard let models = node["compatible"] else { return false }
      return models.contains(text: "qcom,gunyah-message-queue") && node["reg"]?.count == 16
        && !models.contains(text: "gunyah-resource-manager")
    }
    guard let pair, let send = pair["reg"]?.number(at: 0, cells: 2), let receive = pair["reg"]?.number(at: 2, cells: 2)
    else { return nil }
    kind = .queues(send: send, receive: receive)
    Interrupts.start(console: nil, interrupt: pair.interrupt(1))
  }

  /// The next line, read to `address`, without its end.
  mutating func receive(to address: UInt) -> Line {
    var length = 0
    while true {
      let character = next()
      if character == 0x0A { return Line(at: address, count: length) }
      guard character != 0x0D, length < Memory.lineSize else { continue }
      DeviceRegister(address + UInt(length)).write8(character)
      length += 1
    }
  }

  private mutating func next() -> UInt8 {
    switch kind {
    case .console(let console):
      while true {
        if let character = console.get() { return character }
        Interrupts.wait(milliseconds: 1000)
      }
    case .queues(_, let receive):
      while position == count {
        let result = Guarded(.hvc, Hypercall.receive, receive, UInt64(Memory.message), Hypercall.maximumSize)
        if result.registers.0 == 0 {
          position = 0
          count = Int(result.registers.1)
        } else {
          Interrupts.wait(milliseconds: 10)
        }
      }
      defer { position += 1 }
      return DeviceRegister(Memory.message + UInt(position)).read8()
    }
  }

  /// Sends an answer, and its end.
  func send(_ answer: Answer) {
    var answer = answer
    answer.put(character: 0x0A)
    switch kind {
    case .console(let console):
      for index in 0..<answer.count { console.put(DeviceRegister(answer.address + UInt(index)).read8()) }
    case .queues(let send, _):
      var sent: UInt64 = 0
      while sent < UInt64(answer.count) {
        let size = min(UInt64(answer.count) - sent, Hypercall.maximumSize)
        let result = Guarded(.hvc, Hypercall.send, send, size, UInt64(answer.address) + sent, 1)
        switch result.registers.0 {
        case 0: sent += size
        case Hypercall.full: Interrupts.wait(milliseconds: 1)
        // Nobody is there any longer.
        default: return
        }
      }
    }
  }
}

/// Gunyah's, by number.
enum Hypercall {
  static var ring: UInt64 { 0xC600_8012 }
  static var send: UInt64 { 0xC600_801B }
  static var receive: UInt64 { 0xC600_801C }

  static var invalid: UInt64 { 1 }
  static var noObject: UInt64 { 50 }
  static var empty: UInt64 { 60 }
  static var full: UInt64 { 61 }

  /// Of a message, in bytes.
  static var maximumSize: UInt64 { 240 }
}
