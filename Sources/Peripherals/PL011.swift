/// The PrimeCell UART (PL011), ARM DDI 0183, revision r1p1: a serial port with two FIFOs of 16 characters.
///
/// The device has no line and no baud rate: its owner takes what the guest transmitted (``takeTransmitted()``) and
/// offers what the guest is to receive (``receive(_:)``). Nothing is ever lost on the way: characters that the owner
/// does not take stay in the transmit FIFO, which the guest sees fill up (UARTFR.TXFF), and characters that find no
/// room are refused, so that the owner keeps them and offers them later.
///
/// After each call the owner compares ``interruptLevel`` with what it was before and drives the interrupt line.
public struct PL011: RegisterBlock {
  public static var size: UInt64 { 0x1000 }

  /// UARTPeriphID3 to UARTPeriphID0 (3.3.15): part number 0x011, designer 0x41 (Arm), revision 1, configuration 0.
  public static let peripheralIdentification: UInt32 = 0x0014_1011

  /// All that the guest can observe; see ``State``.
  public internal(set) var state: State

  public var events = RegisterEvents()

  /// A device after reset.
  public init() {
    state = State()
  }

  /// A device that goes on from `state`, which may come from anywhere: bits that a register does not have are dropped.
  public init(state: State) {
    self.state = state
    self.state.uartIBRD &= 0xFFFF
    self.state.uartFBRD &= 0x3F
    self.state.uartIFLS &= 0x3F
    self.state.uartDMACR &= 0x7
  }

  /// Whether UARTINTR (2.8.6), the combination of all interrupts, is asserted. Level-triggered, active high.
  public var interruptLevel: Bool { !rawInterrupts.isDisjoint(with: state.uartIMSC) }

  /// How many characters a FIFO holds: 16, or 1 while UARTLCR_H.FEN is 0.
  var depth: Int { state.uartLCRH.contains(.enableFIFOs) ? CharacterFIFO.capacity : 1 }

  /// UARTRIS.
  ///
  /// The receive timeout interrupt (2.8.4) tells of characters that stay in the FIFO for 32 bit periods. There is no
  /// bit period here, so it passes at once: the interrupt is asserted as long as an enabled FIFO holds a character.
  var rawInterrupts: Interrupts {
    let timeout = state.receiveFIFO.count > 0 && state.uartLCRH.contains(.enableFIFOs)
    return timeout ? state.interrupts.union(.receiveTimeout) : state.interrupts
  }

  public mutating func read(at offset: UInt64, width: Int) -> UInt64 {
    guard let register = Register(rawValue: offset) else {
      events.record(.unknownOffset, at: offset, width: width)
      return 0
    }
    if width == 8 { events.record(.unsupportedWidth, at: offset, width: width) }
    let value: UInt32 =
      switch register {
      case .uartDR: readData()
      case .uartRSR: UInt32(state.uartRSR.rawValue)
      case .uartFR: flags.rawValue
      case .uartILPR: UInt32(state.uartILPR)
      case .uartIBRD: state.uartIBRD
      case .uartFBRD: state.uartFBRD
      case .uartLCRH: UInt32(state.uartLCRH.rawValue)
      case .uartCR: UInt32(state.uartCR.rawValue)
      case .uartIFLS: state.uartIFLS
      case .uartIMSC: UInt32(state.uartIMSC.rawValue)
      case .uartRIS: UInt32(rawInterrupts.rawValue)
      case .uartMIS: UInt32(rawInterrupts.intersection(state.uartIMSC).rawValue)
      case .uartDMACR: state.uartDMACR
      case .uartICR: writeOnly(at: offset, width: width)
      // Revision 1: FIFOs of 16 characters.
      case .uartPeriphID0: Self.peripheralIdentification & 0xFF
      case .uartPeriphID1: Self.peripheralIdentification >> 8 & 0xFF
      case .uartPeriphID2: Self.peripheralIdentification >> 16 & 0xFF
      case .uartPeriphID3: Self.peripheralIdentification >> 24
      case .uartPCellID0: 0x0D
      case .uartPCellID1: 0xF0
      case .uartPCellID2: 0x05
      case .uartPCellID3: 0xB1
      }
    return truncated(value, to: width)
  }

  public mutating func write(_ value: UInt64, at offset: UInt64, width: Int) {
    guard let register = Register(rawValue: offset) else {
      events.record(.unknownOffset, at: offset, width: width, written: value)
      return
    }
    if width == 8 { events.record(.unsupportedWidth, at: offset, width: width, written: value) }
    let word = UInt32(truncatingIfNeeded: value)
    switch register {
    case .uartDR: writeData(UInt8(truncatingIfNeeded: value), width: width)
    case .uartRSR: state.uartRSR = []
    case .uartILPR: state.uartILPR = UInt8(truncatingIfNeeded: value)
    case .uartIBRD: state.uartIBRD = word & 0xFFFF
    case .uartFBRD: state.uartFBRD = word & 0x3F
    case .uartLCRH: writeLineControl(LineControl(rawValue: UInt8(truncatingIfNeeded: value)))
    case .uartCR: writeControl(Control(rawValue: UInt16(truncatingIfNeeded: value)))
    case .uartIFLS: state.uartIFLS = word & 0x3F
    case .uartIMSC: state.uartIMSC = Interrupts(rawValue: UInt16(truncatingIfNeeded: value))
    case .uartICR: state.interrupts.subtract(Interrupts(rawValue: UInt16(truncatingIfNeeded: value)))
    case .uartDMACR:
      // UARTDMACR.RXDMAE and TXDMAE ask for a DMA controller, and none is attached.
      if word & 0b11 != 0 { events.record(.unsupportedValue, at: offset, width: width, written: value) }
      state.uartDMACR = word & 0x7
    case .uartFR, .uartRIS, .uartMIS, .uartPeriphID0, .uartPeriphID1, .uartPeriphID2, .uartPeriphID3, .uartPCellID0,
      .uartPCellID1, .uartPCellID2, .uartPCellID3:
      events.record(.writeToReadOnly, at: offset, width: width, written: value)
    }
  }

  private mutating func writeOnly(at offset: UInt64, width: Int) -> UInt32 {
    events.record(.readOfWriteOnly, at: offset, width: width)
    return 0
  }

  /// UARTLCR_H (3.3.7).
  ///
  /// Turning the FIFOs on or off empties the receive FIFO. The transmit FIFO keeps what the guest handed over: on a
  /// real line it would be on its way by now.
  private mutating func writeLineControl(_ new: LineControl) {
    let changed = state.uartLCRH.symmetricDifference(new)
    state.uartLCRH = new
    if changed.contains(.enableFIFOs) {
      state.receiveFIFO.removeAll()
      state.interrupts.remove(.receive)
      state.overrun = false
    }
    if changed.contains(.sendBreak), new.contains(.sendBreak), state.uartCR.contains(.loopBackEnable) {
      loopBack(0, errors: .breakError)
    }
  }

  /// UARTCR (3.3.8). Entering or leaving loopback may change the modem inputs, which raises their interrupts (2.8.1).
  private mutating func writeControl(_ new: Control) {
    let before = modemInputs
    state.uartCR = new
    let changed = before.symmetricDifference(modemInputs)
    if changed.contains(.ringIndicator) { state.interrupts.insert(.ringIndicator) }
    if changed.contains(.clearToSend) { state.interrupts.insert(.clearToSend) }
    if changed.contains(.dataCarrierDetect) { state.interrupts.insert(.dataCarrierDetect) }
    if changed.contains(.dataSetReady) { state.interrupts.insert(.dataSetReady) }
  }

  /// UARTFR (3.3.3).
  private var flags: Flags {
    var flags = modemInputs
    if state.receiveFIFO.count == 0 { flags.insert(.receiveFIFOEmpty) }
    if state.receiveFIFO.count >= depth { flags.insert(.receiveFIFOFull) }
    if state.transmitFIFO.count == 0 { flags.insert(.transmitFIFOEmpty) } else { flags.insert(.busy) }
    if state.transmitFIFO.count >= depth { flags.insert(.transmitFIFOFull) }
    return flags
  }

  /// The other end is always there and ready; in loopback (UARTCR.LBE) the modem outputs are fed to the inputs.
  private var modemInputs: Flags {
    guard state.uartCR.contains(.loopBackEnable) else { return [.clearToSend, .dataSetReady, .dataCarrierDetect] }
    var inputs: Flags = []
    if state.uartCR.contains(.requestToSend) { inputs.insert(.clearToSend) }
    if state.uartCR.contains(.dataTransmitReady) { inputs.insert(.dataSetReady) }
    if state.uartCR.contains(.out1) { inputs.insert(.dataCarrierDetect) }
    if state.uartCR.contains(.out2) { inputs.insert(.ringIndicator) }
    return inputs
  }
}

extension PL011 {
  /// All that the guest can observe of the device, with the values after reset.
  public struct State: Equatable, Sendable, Codable {
    /// Received, not yet read by the guest.
    public var receiveFIFO = CharacterFIFO()
    /// Written by the guest, not yet taken by the owner.
    public var transmitFIFO = CharacterFIFO()
    /// A character was lost since the guest last read UARTDR; the next read shows it in UARTDR.OE.
    public var overrun = false
    /// The interrupts of UARTRIS that are latched: all but the receive timeout, which follows from the FIFO.
    public var interrupts: Interrupts = []
    /// The errors of the character that was read last.
    public var uartRSR: ReceiveStatus = []
    /// Kept for the guest to read back; there is no IrDA encoder.
    public var uartILPR: UInt8 = 0
    /// 16 bits.
    public var uartIBRD: UInt32 = 0
    /// 6 bits.
    public var uartFBRD: UInt32 = 0
    /// The line's form, of which only the FIFOs' being there has an effect.
    public var uartLCRH: LineControl = []
    /// What is enabled; after reset, both directions and not the UART.
    public var uartCR: Control = [.transmitEnable, .receiveEnable]
    /// 6 bits; after reset both FIFOs trigger when half full.
    public var uartIFLS: UInt32 = 0x12
    /// The interrupts that reach the guest: a set bit lets one through.
    public var uartIMSC: Interrupts = []
    /// 3 bits.
    public var uartDMACR: UInt32 = 0

    public init() {}
  }
}
