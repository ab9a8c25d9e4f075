internal import Support

/// What the command lines do on one vCPU.
struct Commands {
  /// By which calls and accesses are made, or `nil` for the guest's own.
  private var regime: Guarded.Regime?

  private var loops: Loops { Loops(regime: regime) }

  /// Does what a line says and answers.
  mutating func execute(_ given: Line, _ answer: inout Answer) {
    var line = given
    guard let command = line.word() else { return }
    let done =
      access(command, &line, &answer) || memory(command, &line, &answer) || interrupts(command, &line, &answer)
      || messages(command, &line, &answer) || loops(command, &line, &answer) || machine(command, &line, &answer)
    if !done { answer.put("error") }
  }

  /// Calls and accesses.
  private mutating func access(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    if command.equals("h") || command.equals("s") {
      guard let number = line.number() else { return false }
      let call = Guarded(
        command.equals("h") ? .hvc : .smc,
        number,
        line.number() ?? 0,
        line.number() ?? 0,
        line.number() ?? 0,
        line.number() ?? 0,
        regime: regime
      )
      guard !tells(call, &answer) else { return true }
      answer.put("ok")
      answer.put(call.registers.0)
      answer.put(call.registers.1)
      answer.put(call.registers.2)
      answer.put(call.registers.3)
      answer.put(call.registers.4)
      return true
    }
    if command.equals("m") {
      guard let ttbr0 = line.number() else {
        regime = nil
        answer.put("ok")
        return true
      }
      guard let ttbr1 = line.number(), let tcr = line.number(), let mair = line.number(), let sctlr = line.number()
      else { return false }
      regime = Guarded.Regime(ttbr0: ttbr0, ttbr1: ttbr1, tcr: tcr, mair: mair, sctlr: sctlr)
      answer.put("ok")
      return true
    }
    guard let operation = operation(command, &line), let address = line.number() else { return false }
    let access = Guarded(operation, address, line.number() ?? 0, regime: regime)
    guard !tells(access, &answer) else { return true }
    answer.put("ok")
    answer.put(access.registers.0)
    return true
  }

  private func operation(_ command: Word, _ line: inout Line) -> Guarded.Operation? {
    if command.equals("l") { return line.number().map { .load(bytes: $0) } }
    if command.equals("t") { return line.number().map { .store(bytes: $0) } }
    if command.equals("lp") { return .loadPair }
    if command.equals("tp") { return .storePair }
    if command.equals("x") { return .increment }
    if command.equals("f") { return .call }
    return nil
  }

  /// Whether it went wrong, and then how.
  private func tells(_ work: Guarded, _ answer: inout Answer) -> Bool {
    guard let abort = work.abort else { return false }
    answer.put("abort")
    answer.put(abort.syndrome)
    answer.put(abort.address)
    return true
  }

  /// Many bytes.
  private func memory(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    if command.equals("c") {
      guard let address = line.number(), let bytes = line.word() else { return false }
      var index = 0
      while let byte = bytes.byte(at: index) {
        let store = Guarded(.store(bytes: 1), address + UInt64(index / 2), UInt64(byte), regime: regime)
        guard !tells(store, &answer) else { return true }
        index += 2
      }
      answer.put("ok")
      answer.put(UInt64(index / 2))
      return true
    }
    if command.equals("d") {
      guard let address = line.number(), let count = line.number(), 1...0x1F00 ~= count else { return false }
      var whole = Answer(at: answer.address)
      whole.put("ok ")
      for offset in 0..<count {
        let load = Guarded(.load(bytes: 1), address + offset, regime: regime)
        guard !tells(load, &answer) else { return true }
        whole.put(byte: UInt8(truncatingIfNeeded: load.registers.0))
      }
      answer = whole
      return true
    }
    if command.equals("k") {
      guard let from = line.number(), let to = line.number(), let count = line.number() else { return false }
      let copy = Guarded(.copy, to, from, count, regime: regime)
      guard !tells(copy, &answer) else { return true }
      answer.put("ok")
      answer.put(count)
      return true
    }
    if command.equals("z") || command.equals("v") {
      guard let address = line.number(), let count = line.number(), let byte = line.number() else { return false }
      let bytes = (byte & 0xFF) * 0x0101_0101_0101_0101
      let work = Guarded(command.equals("z") ? .fill : .verify, address, count, bytes, regime: regime)
      guard !tells(work, &answer) else { return true }
      answer.put("ok")
      answer.put(command.equals("z") ? count : work.registers.0)
      return true
    }
    return false
  }

  private func interrupts(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    guard command.equals("e") || command.equals("el") || command.equals("i") || command.equals("w"),
      let number = line.number().map({ UInt32(truncatingIfNeeded: $0) })
    else { return false }
    if command.equals("e") || command.equals("el") {
      guard Interrupts.enable(number, isEdge: command.equals("e")) else { return false }
      answer.put("ok")
      return true
    }
    Interrupts.poll()
    if command.equals("w") {
      guard let count = line.number(), let milliseconds = line.number() else { return false }
      let start = VirtualTimer.count
      let ticks = VirtualTimer.frequency / 1000 * milliseconds
      while Interrupts.count(of: number) < count, VirtualTimer.count - start < ticks {
        Interrupts.wait(milliseconds: 10)
      }
    }
    answer.put("ok")
    answer.put(Interrupts.count(of: number))
    return true
  }

  /// Whole messages.
  private func messages(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    if command.equals("qs") {
      guard let queue = line.number(), let flags = line.number() else { return false }
      let bytes = line.word()
      var count: UInt64 = 0
      while count < 0x400, let byte = bytes?.byte(at: 2 * Int(count)) {
        DeviceRegister(Memory.outgoing + UInt(count)).write8(byte)
        count += 1
      }
      let call = Guarded(.hvc, Hypercall.send, queue, count, UInt64(Memory.outgoing), flags)
      answer.put("ok")
      answer.put(call.registers.0)
      answer.put(call.registers.1)
      return true
    }
    guard command.equals("qr"), let queue = line.number(), let milliseconds = line.number() else { return false }
    let start = VirtualTimer.count
    let ticks = VirtualTimer.frequency / 1000 * milliseconds
    var call = Guarded(.hvc, Hypercall.receive, queue, UInt64(Memory.incoming), 0x400)
    while call.registers.0 == Hypercall.empty, VirtualTimer.count - start < ticks {
      Interrupts.wait(milliseconds: 1)
      call = Guarded(.hvc, Hypercall.receive, queue, UInt64(Memory.incoming), 0x400)
    }
    answer.put("ok")
    answer.put(call.registers.0)
    answer.put(call.registers.2)
    answer.put(character: 0x20)
    guard call.registers.0 == 0 else { return true }
    for offset in 0..<UInt(call.registers.1) { answer.put(byte: DeviceRegister(Memory.incoming + offset).read8()) }
    return true
  }

  private func loops(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    if command.equals("ms") || command.equals("mr") {
      guard let queue = line.number(), let address = line.number(), let size = line.number(),
        let count = line.number()
      else { return false }
      if command.equals("mr") {
        loops.receive(queue, at: address, size: size, count: count, &answer)
      } else {
        loops.send(queue, at: address, size: size, count: count, first: line.number() ?? 0, &answer)
      }
      return true
    }
    if command.equals("mp") || command.equals("md") {
      guard let queue = line.number(), let interrupt = line.number(), let seen = line.number(),
        let address = line.number(), let size = line.number(), let count = line.number()
      else { return false }
      let end = Loops.End(queue: queue, interrupt: UInt32(truncatingIfNeeded: interrupt), seen: seen)
      if command.equals("mp") {
        loops.pour(end, at: address, size: size, count: count, &answer)
      } else {
        loops.drain(end, at: address, size: size, count: count, &answer)
      }
      return true
    }
    if command.equals("mx") {
      guard let send = line.number(), let receive = line.number(), let interrupt = line.number(),
        let seen = line.number(), let address = line.number(), let size = line.number(), let count = line.number(),
        let isFirst = line.number()
      else { return false }
      loops.exchange(
        (send, receive),
        interrupt: UInt32(truncatingIfNeeded: interrupt),
        seen: seen,
        at: address,
        size: size,
        count: count,
        isFirst: isFirst != 0,
        &answer
      )
      return true
    }
    if command.equals("bs") {
      guard let doorbell = line.number(), let flags = line.number(), let count = line.number() else { return false }
      loops.ring(doorbell, flags: flags, count: count, &answer)
      return true
    }
    if command.equals("hr") {
      guard let seed = line.number(), let count = line.number() else { return false }
      loops.guess(seed: seed, count: count, &answer)
      return true
    }
    return false
  }

  /// The machine itself.
  private func machine(_ command: Word, _ line: inout Line, _ answer: inout Answer) -> Bool {
    if command.equals("g") {
      tellNode(line.word(), Int(line.number() ?? 0), &answer)
    } else if command.equals("a") {
      answer.put("ok")
      answer.put(UInt64(DeviceTree.address))
      answer.put(UInt64(Scratch.address))
      answer.put(VirtualTimer.frequency)
      let chosen = DeviceTree.current.firstNode(named: "chosen")
      answer.put(chosen?["linux,initrd-start"].flatMap { $0.number(at: 0, cells: $0.count / 4) } ?? 0)
      answer.put(chosen?["linux,initrd-end"].flatMap { $0.number(at: 0, cells: $0.count / 4) } ?? 0)
    } else if command.equals("o") {
      Firmware().systemOff()
    } else if command.equals("r") {
      Firmware().systemReset()
    } else if command.equals("r2") {
      // PSCI 5.1.11: comes back only where there is none.
      let result = Firmware().call(0xC400_0012, line.number() ?? 0, line.number() ?? 0)
      answer.put("ok")
      answer.put(result?.0 ?? 0)
    } else if command.equals("on") {
      guard let index = line.number(), let status = Processors.start(index) else { return false }
      answer.put("ok")
      answer.put(status)
    } else if command.equals("at") {
      guard let index = line.number(), Processors.post(line.rest, to: index) else { return false }
      answer.put("ok")
    } else if command.equals("of") {
      guard let index = line.number(), let whole = Processors.answer(of: index) else { return false }
      answer = whole
    } else {
      return false
    }
    return true
  }

  /// The node `index` of the device tree that is compatible with `model`, or with the resource manager: `ok`, two
  /// numbers of 64 bits of its `reg`, two interrupts, and its label; 0 for what it does not have.
  private func tellNode(_ model: Word?, _ index: Int, _ answer: inout Answer) {
    var left = index
    let node = DeviceTree.current.firstNode { node in
      guard let models = node["compatible"] else { return false }
      let matches = model.map { models.contains($0) } ?? models.contains(text: "gunyah-resource-manager")
      guard matches else { return false }
      left -= 1
      return left < 0
    }
    guard let node else {
      answer.put("error")
      return
    }
    answer.put("ok")
    answer.put(node["reg"]?.number(at: 0, cells: 2) ?? 0)
    answer.put(node["reg"]?.number(at: 2, cells: 2) ?? 0)
    answer.put(UInt64(node.interrupt(0) ?? 0))
    answer.put(UInt64(node.interrupt(1) ?? 0))
    answer.put(UInt64(node["qcom,label"]?.word(0) ?? 0))
  }
}

extension DeviceTree.Property {
  /// Whether one of the texts is this word.
  fileprivate func contains(_ word: Word) -> Bool {
    var start = 0
    while start < count {
      var length = 0
      while self[start + length].map({ $0 != 0 }) ?? false { length += 1 }
      var index = 0
      while index < length, index < word.count, self[start + index] == word[index] { index += 1 }
      if length == word.count, index == length { return true }
      start += length + 1
    }
    return false
  }
}
