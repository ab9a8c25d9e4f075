// Questions about the machine as a whole, and what it tells by itself.
extension DebugSession {
  mutating func answerVerbose(_ text: inout PacketText) {
    if text.rest.elementsEqual("Cont?".utf8) {
      reply("vCont;c;C;s;S".utf8)
    } else if text.take("Cont;") {
      resume(plan: &text)
    } else if text.take("Kill") {
      reply(Self.fine)
      finish(.killed)
    } else {
      // vMustReplyEmpty and all that is not known.
      reply([])
    }
  }

  mutating func answerQuery(_ text: inout PacketText) {
    if text.take("Supported") {
      let features = text.rest.split { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ":") }
      knowsSoftwareStops = features.contains { $0.elementsEqual("swbreak+".utf8) }
      knowsHardwareStops = features.contains { $0.elementsEqual("hwbreak+".utf8) }
      let size = String(PacketReader.limit, radix: 16)
      reply(
        """
        PacketSize=\(size);QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;vContSupported+;swbreak+;\
        hwbreak+;binary-upload+
        """.utf8
      )
    } else if text.take("Xfer:features:read:target.xml:") {
      transfer(TargetDescription.text, &text)
    } else if text.take("Xfer:threads:read::") {
      transfer(Array(threadList.utf8), &text)
    } else if text.take("Xfer:") {
      // Another object or another file.
      reply("E00".utf8)
    } else if text.take("Rcmd,") {
      runCommand(text)
    } else if text.take("fThreadInfo") {
      reply("m\((1...target.threadCount).map { String($0, radix: 16) }.joined(separator: ","))".utf8)
    } else if text.take("sThreadInfo") {
      reply("l".utf8)
    } else if text.take("ThreadExtraInfo,") {
      guard let thread = thread(&text) else { return settle(.invalid) }
      var answer: [UInt8] = []
      Hexadecimal.append(target.describe(thread: thread).utf8, to: &answer)
      reply(answer)
    } else if text.take("Attached") {
      reply("1".utf8)
    } else if text.take("Symbol:") {
      reply(Self.fine)
    } else if text.rest.elementsEqual("C".utf8) {
      reply("QC\(String(generalThread + 1, radix: 16))".utf8)
    } else {
      reply([])
    }
  }

  mutating func answerSetting(_ text: inout PacketText) {
    if text.take("StartNoAckMode") {
      reply(Self.fine)
      stopAcknowledging()
    } else {
      reply([])
    }
  }

  /// A piece of an object: `m` where more follows, `l` for the last one.
  private mutating func transfer(_ object: [UInt8], _ text: inout PacketText) {
    guard let offset = text.takeNumber(), text.take(","), let length = text.takeNumber(), text.isEmpty else {
      return settle(.invalid)
    }
    let start = Int(min(offset, UInt64(object.count)))
    let piece = object[start...].prefix(Int(min(length, UInt64(PacketReader.limit / 2 - 8))))
    reply(CollectionOfOne(UInt8(ascii: piece.endIndex == object.endIndex ? "l" : "m")) + piece)
  }

  private var threadList: String {
    var text = "<?xml version=\"1.0\"?>\n<threads>\n"
    for thread in 0..<target.threadCount {
      let description = target.describe(thread: thread).filter { !"<>&\"".contains($0) }
      text += "<thread id=\"\(String(thread + 1, radix: 16))\" core=\"\(thread)\">\(description)</thread>\n"
    }
    return text + "</threads>\n"
  }

  /// `monitor`: its text goes out in pieces, and `OK` ends them.
  private mutating func runCommand(_ text: PacketText) {
    guard let bytes = Hexadecimal.bytes(text.rest) else { return settle(.invalid) }
    let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    var rest = Array(target.monitor(words).utf8)[...]
    while !rest.isEmpty {
      let piece = rest.prefix(PacketReader.limit / 4)
      rest = rest.dropFirst(piece.count)
      var answer: [UInt8] = [UInt8(ascii: "O")]
      Hexadecimal.append(piece, to: &answer)
      reply(answer)
    }
    reply(Self.fine)
  }

  /// Tells why the machine stopped, with the registers that a debugger wants first.
  func stopReply(_ event: StopEvent) -> [UInt8] {
    var text: [UInt8] = [UInt8(ascii: "T")]
    Hexadecimal.append([event.reason == .interrupt ? Signal.interrupt : Signal.trap], to: &text)
    for number in [DebugRegister.stackPointerNumber, DebugRegister.counterNumber] {
      let register = DebugRegister.all[number]
      guard let value = target.register(register, thread: event.thread) else { continue }
      Hexadecimal.append(UInt64(number), to: &text)
      text.append(UInt8(ascii: ":"))
      Hexadecimal.append(value.bytes(register.size), to: &text)
      text.append(UInt8(ascii: ";"))
    }
    text += Array("thread:\(String(event.thread + 1, radix: 16));core:\(String(event.thread, radix: 16));".utf8)
    switch event.reason {
    case .interrupt, .step: break
    case .softwareBreakpoint: if knowsSoftwareStops { text += Array("swbreak:;".utf8) }
    case .hardwareBreakpoint: if knowsHardwareStops { text += Array("hwbreak:;".utf8) }
    case .watchpoint(let breakpoint):
      let name =
        switch breakpoint.kind {
        case .readWatch: "rwatch"
        case .accessWatch: "awatch"
        case .software, .hardware, .writeWatch: "watch"
        }
      text += Array("\(name):\(String(breakpoint.address, radix: 16));".utf8)
    }
    return text
  }
}

/// Signals as the protocol numbers them.
private enum Signal {
  static let interrupt: UInt8 = 2
  static let trap: UInt8 = 5
}
