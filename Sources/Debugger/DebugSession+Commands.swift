// What each packet of a stopped machine does (Debugging with GDB, "Packets" and "General Query Packets").
extension DebugSession {
  /// Answers one packet. What is not known gets the empty answer, as the protocol wants it.
  mutating func answer(_ packet: [UInt8]) {
    var text = PacketText(packet[...])
    switch text.takeByte() {
    case UInt8(ascii: "?"): reply(stopReply(lastStop))
    case UInt8(ascii: "g"): reply(readGroup())
    case UInt8(ascii: "G"): settle(writeGroup(text))
    case UInt8(ascii: "p"): reply(readRegister(&text))
    case UInt8(ascii: "P"): settle(writeRegister(&text))
    case UInt8(ascii: "m"): readMemory(&text)
    case UInt8(ascii: "x"): readMemoryInBinary(&text)
    case UInt8(ascii: "M"): settle(writeMemory(&text, isBinary: false))
    case UInt8(ascii: "X"): settle(writeMemory(&text, isBinary: true))
    case UInt8(ascii: "H"): settle(chooseThread(&text))
    case UInt8(ascii: "T"): settle(thread(&text).map { target.isAlive(thread: $0) ? nil : .invalid } ?? .invalid)
    case UInt8(ascii: "Z"): settle(changeBreakpoint(&text, inserts: true))
    case UInt8(ascii: "z"): settle(changeBreakpoint(&text, inserts: false))
    case UInt8(ascii: "c"): resumeOne(.run, &text)
    case UInt8(ascii: "s"): resumeOne(.step, &text)
    case UInt8(ascii: "C"): resumeWithSignal(.run, &text)
    case UInt8(ascii: "S"): resumeWithSignal(.step, &text)
    case UInt8(ascii: "D"):
      reply(Self.fine)
      finish(.detached)
    case UInt8(ascii: "k"): finish(.killed)
    case UInt8(ascii: "v"): answerVerbose(&text)
    case UInt8(ascii: "q"): answerQuery(&text)
    case UInt8(ascii: "Q"): answerSetting(&text)
    default: reply([])
    }
  }

  static var fine: [UInt8] { Array("OK".utf8) }

  /// `OK`, or the failure.
  mutating func settle(_ failure: DebugFailure?) {
    reply(failure?.text ?? Self.fine)
  }

  // MARK: Registers

  private func readGroup() -> [UInt8] {
    var text: [UInt8] = []
    for register in DebugRegister.all.prefix(DebugRegister.inGroup) { append(register, to: &text) }
    return text
  }

  /// One that cannot be read is shown by as many x as it has digits.
  private func append(_ register: DebugRegister, to text: inout [UInt8]) {
    if let value = target.register(register, thread: generalThread) {
      Hexadecimal.append(value.bytes(register.size), to: &text)
    } else {
      text += [UInt8](repeating: UInt8(ascii: "x"), count: 2 * register.size)
    }
  }

  private func writeGroup(_ text: PacketText) -> DebugFailure? {
    guard let bytes = Hexadecimal.bytes(text.rest) else { return .invalid }
    let registers = DebugRegister.all.prefix(DebugRegister.inGroup)
    guard bytes.count == registers.reduce(0, { $0 + $1.size }) else { return .invalid }
    var place = 0
    var failure: DebugFailure?
    for register in registers {
      let value = RegisterValue(littleEndian: bytes[place..<place + register.size])
      if !target.setRegister(register, value, thread: generalThread) { failure = .invalid }
      place += register.size
    }
    return failure
  }

  private func readRegister(_ text: inout PacketText) -> [UInt8] {
    guard let register = register(&text), text.isEmpty, let value = target.register(register, thread: generalThread)
    else { return DebugFailure.invalid.text }
    var answer: [UInt8] = []
    Hexadecimal.append(value.bytes(register.size), to: &answer)
    return answer
  }

  private func writeRegister(_ text: inout PacketText) -> DebugFailure? {
    guard
      let register = register(&text), text.take("="), let bytes = Hexadecimal.bytes(text.rest),
      bytes.count == register.size
    else { return .invalid }
    return target.setRegister(register, RegisterValue(littleEndian: bytes), thread: generalThread) ? nil : .invalid
  }

  private func register(_ text: inout PacketText) -> DebugRegister? {
    guard let number = text.takeNumber(), number < UInt64(DebugRegister.all.count) else { return nil }
    return DebugRegister.all[Int(number)]
  }

  // MARK: Memory

  /// An address, a comma and a length.
  private func place(_ text: inout PacketText) -> (address: UInt64, count: UInt64)? {
    guard let address = text.takeNumber(), text.take(","), let count = text.takeNumber() else { return nil }
    return (address, count)
  }

  /// As many bytes as there are and as an answer holds; the debugger asks again for the rest.
  private func bytes(at place: (address: UInt64, count: UInt64), atMost limit: Int) -> [UInt8]? {
    let count = Int(min(place.count, UInt64(limit)))
    let bytes = count == 0 ? [] : target.read(at: place.address, count: count, thread: generalThread)
    return bytes.isEmpty && count > 0 ? nil : bytes
  }

  private mutating func readMemory(_ text: inout PacketText) {
    guard let place = place(&text), text.isEmpty else { return settle(.invalid) }
    guard let bytes = bytes(at: place, atMost: PacketReader.limit / 2 - 8) else { return settle(.unmapped) }
    var answer: [UInt8] = []
    Hexadecimal.append(bytes, to: &answer)
    reply(answer)
  }

  /// Since gdb 16: `b` and the bytes themselves, of which each may be escaped.
  private mutating func readMemoryInBinary(_ text: inout PacketText) {
    guard let place = place(&text), text.isEmpty else { return settle(.invalid) }
    guard let bytes = bytes(at: place, atMost: PacketReader.limit / 2 - 8) else { return settle(.unmapped) }
    reply([UInt8(ascii: "b")] + bytes)
  }

  private func writeMemory(_ text: inout PacketText, isBinary: Bool) -> DebugFailure? {
    guard let place = place(&text), text.take(":") else { return .invalid }
    guard let bytes = isBinary ? Array(text.rest) : Hexadecimal.bytes(text.rest), UInt64(bytes.count) == place.count
    else { return .invalid }
    // gdb finds out by an empty one whether binary packets arrive.
    if bytes.isEmpty { return nil }
    return target.write(bytes, at: place.address, thread: generalThread) ? nil : .unmapped
  }

  // MARK: Threads

  /// A thread by the protocol's number, which counts from 1.
  func thread(_ text: inout PacketText) -> Int? {
    guard let number = text.takeNumber(), number >= 1, number <= UInt64(target.threadCount) else { return nil }
    return Int(number) - 1
  }

  private mutating func chooseThread(_ text: inout PacketText) -> DebugFailure? {
    let kind = text.takeByte()
    // -1 is all of them and 0 is any.
    let isAny = text.take("-1") || text.rest.elementsEqual([UInt8(ascii: "0")])
    let thread = isAny ? nil : thread(&text)
    guard isAny || thread != nil else { return .invalid }
    switch kind {
    case UInt8(ascii: "g"): generalThread = thread ?? lastStop.thread
    case UInt8(ascii: "c"): resumeThread = thread
    default: return .invalid
    }
    return nil
  }

  // MARK: Breakpoints

  private func changeBreakpoint(_ text: inout PacketText, inserts: Bool) -> DebugFailure? {
    guard
      let number = text.takeNumber(), let kind = Breakpoint.Kind(rawValue: UInt8(clamping: number)), text.take(","),
      let place = place(&text), text.isEmpty
    else { return .invalid }
    let breakpoint = Breakpoint(kind, address: place.address, length: place.count)
    let answer =
      inserts ? target.insert(breakpoint, thread: generalThread) : target.remove(breakpoint)
    return switch answer {
    case .done: nil
    case .unmapped: .unmapped
    case .full: .full
    case .unsupported: .invalid
    }
  }

  // MARK: Going on

  /// `c` and `s`, which may have an address to go on from. A step lets no other vCPU run.
  private mutating func resumeOne(_ action: DebugAction, _ text: inout PacketText) {
    let thread = resumeThread ?? generalThread
    if !text.isEmpty {
      guard
        let address = text.takeNumber(), text.isEmpty,
        target.setRegister(.programCounter, RegisterValue(address), thread: thread)
      else { return settle(.invalid) }
    }
    let others = action == .run && resumeThread == nil ? DebugAction.run : .stay
    var actions = [DebugAction](repeating: others, count: target.threadCount)
    actions[thread] = action
    resume(actions)
  }

  /// `C` and `S`: a vCPU has no signals, so theirs goes nowhere.
  private mutating func resumeWithSignal(_ action: DebugAction, _ text: inout PacketText) {
    guard text.takeNumber() != nil, text.isEmpty || text.take(";") else { return settle(.invalid) }
    resumeOne(action, &text)
  }

  mutating func resume(plan text: inout PacketText) {
    var actions = [DebugAction?](repeating: nil, count: target.threadCount)
    var isFirst = true
    while !text.isEmpty || isFirst {
      isFirst = false
      var part = PacketText(text.takeText(upTo: UInt8(ascii: ";")))
      let action: DebugAction
      switch part.takeByte() {
      case UInt8(ascii: "c"): action = .run
      case UInt8(ascii: "s"): action = .step
      case UInt8(ascii: "C"):
        guard part.takeNumber() != nil else { return settle(.invalid) }
        action = .run
      case UInt8(ascii: "S"):
        guard part.takeNumber() != nil else { return settle(.invalid) }
        action = .step
      default: return settle(.invalid)
      }
      if part.isEmpty || part.take(":-1") {
        for index in actions.indices where actions[index] == nil { actions[index] = action }
      } else {
        // What comes first counts.
        guard part.take(":"), let thread = thread(&part) else { return settle(.invalid) }
        actions[thread] = actions[thread] ?? action
      }
      guard part.isEmpty else { return settle(.invalid) }
    }
    resume(actions.map { $0 ?? .stay })
  }
}
