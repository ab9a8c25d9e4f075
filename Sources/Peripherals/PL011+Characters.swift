// The two ways of a character through the device. Section numbers are those of ARM DDI 0183.

// MARK: From the guest to the owner

extension PL011 {
  /// How many characters wait for the owner: 0...16.
  public var transmittedCount: Int { state.transmitFIFO.count }

  /// Takes the oldest character that the guest transmitted.
  ///
  /// To be called after each write until it gives `nil`, as long as the owner's sink takes characters. An owner whose
  /// sink is full just does not call it: the guest then sees the FIFO fill up, and gets its transmit interrupt when the
  /// owner goes on.
  ///
  /// - Returns: `nil` if there is none.
  public mutating func takeTransmitted() -> UInt8? {
    guard let first = state.transmitFIFO.removeFirst() else { return nil }
    raiseTransmitInterruptIfDrained()
    return UInt8(truncatingIfNeeded: first)
  }

  /// The characters that wait, for a sink that may take only some of them, oldest first in the lowest byte; as many as
  /// ``transmittedCount``. Follow with ``removeTransmitted(_:)``.
  public var transmitted: UInt128 { state.transmitFIFO.characters }

  /// Removes the `number` oldest characters, which the sink took.
  ///
  /// - Precondition: `number` is in 0...``transmittedCount``.
  public mutating func removeTransmitted(_ number: Int) {
    state.transmitFIFO.removeFirst(number)
    if number > 0 { raiseTransmitInterruptIfDrained() }
  }

  /// UARTTXINTR (2.8.3): asserted when characters have left the FIFO and it is at or below the trigger level.
  private mutating func raiseTransmitInterruptIfDrained() {
    if state.transmitFIFO.count <= transmitTrigger { state.interrupts.insert(.transmit) }
  }

  /// A write of UARTDR (3.3.1).
  ///
  /// Programs for emulated boards often do not set UARTCR.UARTEN, and expect their output all the same.
  mutating func writeData(_ character: UInt8, width: Int) {
    if !state.uartCR.isSuperset(of: [.uartEnable, .transmitEnable]) {
      events.record(.transmitterDisabled, at: 0, width: width, written: UInt64(character))
    }
    // With the FIFOs off, the depth is one, but a guest that does not look at UARTFR.TXFF still loses nothing before
    // the sixteenth character.
    guard state.transmitFIFO.count < CharacterFIFO.capacity else {
      events.record(.characterLost, at: 0, width: width, written: UInt64(character))
      return
    }
    state.transmitFIFO.append(character)
    if state.transmitFIFO.count > transmitTrigger { state.interrupts.remove(.transmit) }
    if state.uartCR.contains(.loopBackEnable) { loopBack(character, errors: []) }
  }

  /// UARTIFLS.TXIFLSEL (3.3.9): the FIFO's content at or below which the transmit interrupt is asserted.
  private var transmitTrigger: Int {
    depth == 1 ? 0 : Self.triggerLevel(state.uartIFLS & 0b111)
  }
}

// MARK: From the owner to the guest

extension PL011 {
  /// How many characters ``receive(_:)`` takes now: 0...16.
  ///
  /// It is 0 while the guest has set loopback, which disconnects the line (UARTCR.LBE).
  public var receiveSpace: Int {
    state.uartCR.contains(.loopBackEnable) ? 0 : max(0, depth - state.receiveFIFO.count)
  }

  /// Whether the guest has enabled the receiver and waits for its interrupt.
  ///
  /// What an operating system finds in the FIFO before that it throws away when it opens the port, so an owner that
  /// must not lose early input waits for this. A program that polls never enables the interrupt.
  public var isListening: Bool {
    state.uartCR.isSuperset(of: [.uartEnable, .receiveEnable])
      && !state.uartIMSC.isDisjoint(with: [.receive, .receiveTimeout])
  }

  /// Offers the guest a character.
  ///
  /// Whether the guest has enabled its receiver does not matter: programs for emulated boards often poll without doing
  /// so.
  ///
  /// - Returns: `false` if there is no room. Then the owner keeps the character and offers it again when
  ///   ``receiveSpace`` is not 0, which only a write or a read of the guest can bring about.
  public mutating func receive(_ character: UInt8) -> Bool {
    guard !state.uartCR.contains(.loopBackEnable) else { return false }
    return store(character, errors: [])
  }

  /// Offers the guest a break: a character 0 with UARTDR.BE set (3.3.1), and UARTBEINTR.
  ///
  /// - Returns: `false` if there is no room, as for ``receive(_:)``.
  public mutating func receiveBreak() -> Bool {
    guard !state.uartCR.contains(.loopBackEnable) else { return false }
    return store(0, errors: .breakError)
  }

  /// A read of UARTDR (3.3.1): the oldest character with its errors, which go to UARTRSR (3.3.2) as well.
  mutating func readData() -> UInt32 {
    // An empty FIFO gives what its head register holds; 0 here.
    guard var data = state.receiveFIFO.removeFirst() else { return 0 }
    if state.receiveFIFO.count < receiveTrigger { state.interrupts.remove(.receive) }
    if state.overrun {
      data |= UInt32(ReceiveStatus.overrunError.rawValue) << 8
      state.overrun = false
    }
    // UARTRSR.OE was set when the overrun happened and stays until UARTECR is written.
    let kept = state.uartRSR.intersection(.overrunError)
    state.uartRSR = ReceiveStatus(rawValue: UInt8(truncatingIfNeeded: data >> 8)).union(kept)
    return data
  }

  /// Feeds a character back (UARTCR.LBE). Here nobody can keep it: without room it is an overrun, as on a line.
  mutating func loopBack(_ character: UInt8, errors: ReceiveStatus) {
    guard !store(character, errors: errors) else { return }
    state.overrun = true
    state.uartRSR.insert(.overrunError)
    state.interrupts.insert(.overrunError)
    events.record(.characterLost, at: 0, width: 1, written: UInt64(character))
  }

  /// UARTRXINTR (2.8.2) is asserted when the FIFO reaches the trigger level, and again by each character beyond.
  private mutating func store(_ character: UInt8, errors: ReceiveStatus) -> Bool {
    let hasRoom = state.receiveFIFO.count < depth
    if hasRoom {
      state.receiveFIFO.append(character, errors: errors.rawValue)
      if errors.contains(.breakError) { state.interrupts.insert(.breakError) }
    }
    if state.receiveFIFO.count >= receiveTrigger { state.interrupts.insert(.receive) }
    return hasRoom
  }

  /// UARTIFLS.RXIFLSEL (3.3.9): the FIFO's content from which on the receive interrupt is asserted.
  private var receiveTrigger: Int {
    depth == 1 ? 1 : Self.triggerLevel(state.uartIFLS >> 3)
  }

  /// 1/8, 1/4, 1/2, 3/4 or 7/8 of 16 characters. The reserved selections act as the one after reset.
  private static func triggerLevel(_ selection: UInt32) -> Int {
    switch selection {
    case 0: 2
    case 1: 4
    case 3: 12
    case 4: 14
    default: 8
    }
  }
}
