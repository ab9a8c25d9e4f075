// Section numbers are those of the PrimeCell UART (PL011) Technical Reference Manual, ARM DDI 0183.

extension PL011 {
  /// Where the registers are, in bytes from the start of the block (section 3.2, summary of registers).
  enum Register: UInt64 {
    /// 3.3.1, data.
    case uartDR = 0x000
    /// 3.3.2, receive status when read, error clear when written.
    case uartRSR = 0x004
    /// 3.3.3, flags; read-only.
    case uartFR = 0x018
    /// 3.3.4, IrDA low-power counter.
    case uartILPR = 0x020
    /// 3.3.5, integer baud rate divisor.
    case uartIBRD = 0x024
    /// 3.3.6, fractional baud rate divisor.
    case uartFBRD = 0x028
    /// 3.3.7, line control.
    case uartLCRH = 0x02C
    /// 3.3.8, control.
    case uartCR = 0x030
    /// 3.3.9, interrupt FIFO level select.
    case uartIFLS = 0x034
    /// 3.3.10, interrupt mask set and clear.
    case uartIMSC = 0x038
    /// 3.3.11, raw interrupt status; read-only.
    case uartRIS = 0x03C
    /// 3.3.12, masked interrupt status; read-only.
    case uartMIS = 0x040
    /// 3.3.13, interrupt clear; write-only.
    case uartICR = 0x044
    /// 3.3.14, DMA control.
    case uartDMACR = 0x048
    /// 3.3.15, peripheral identification; read-only.
    case uartPeriphID0 = 0xFE0
    case uartPeriphID1 = 0xFE4
    case uartPeriphID2 = 0xFE8
    case uartPeriphID3 = 0xFEC
    /// 3.3.16, PrimeCell identification; read-only.
    case uartPCellID0 = 0xFF0
    case uartPCellID1 = 0xFF4
    case uartPCellID2 = 0xFF8
    case uartPCellID3 = 0xFFC
  }

  /// Error bits of UARTRSR (3.3.2); in UARTDR they are at bit 8 and up.
  public struct ReceiveStatus: OptionSet, Sendable, Codable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// FE: the character had no valid stop bit.
    public static let framingError = ReceiveStatus(rawValue: 1 << 0)
    /// PE: the character's parity is not the chosen one.
    public static let parityError = ReceiveStatus(rawValue: 1 << 1)
    /// BE: the line was low for longer than a character.
    public static let breakError = ReceiveStatus(rawValue: 1 << 2)
    /// OE: a character came while the FIFO was full.
    public static let overrunError = ReceiveStatus(rawValue: 1 << 3)
  }

  /// Bits of UARTFR (3.3.3).
  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// CTS: the other end takes characters.
    public static let clearToSend = Flags(rawValue: 1 << 0)
    /// DSR.
    public static let dataSetReady = Flags(rawValue: 1 << 1)
    /// DCD.
    public static let dataCarrierDetect = Flags(rawValue: 1 << 2)
    /// BUSY: a character is being sent, or waits in the FIFO.
    public static let busy = Flags(rawValue: 1 << 3)
    /// RXFE.
    public static let receiveFIFOEmpty = Flags(rawValue: 1 << 4)
    /// TXFF.
    public static let transmitFIFOFull = Flags(rawValue: 1 << 5)
    /// RXFF.
    public static let receiveFIFOFull = Flags(rawValue: 1 << 6)
    /// TXFE.
    public static let transmitFIFOEmpty = Flags(rawValue: 1 << 7)
    /// RI.
    public static let ringIndicator = Flags(rawValue: 1 << 8)
  }

  /// Bits of UARTLCR_H (3.3.7).
  public struct LineControl: OptionSet, Sendable, Codable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// BRK: the line is held low.
    public static let sendBreak = LineControl(rawValue: 1 << 0)
    /// PEN: characters have a parity bit.
    public static let parityEnable = LineControl(rawValue: 1 << 1)
    /// EPS: the parity is even; otherwise odd.
    public static let evenParity = LineControl(rawValue: 1 << 2)
    /// STP2.
    public static let twoStopBits = LineControl(rawValue: 1 << 3)
    /// FEN: there are FIFOs; otherwise registers of one character.
    public static let enableFIFOs = LineControl(rawValue: 1 << 4)
    /// Both bits of the word length field: eight bits.
    public static let eightBits = LineControl(rawValue: 0b11 << 5)
    /// SPS: the parity bit is what EPS says, whatever the character.
    public static let stickParity = LineControl(rawValue: 1 << 7)
  }

  /// Bits of UARTCR (3.3.8).
  public struct Control: OptionSet, Sendable, Codable {
    public let rawValue: UInt16
    /// Drops the reserved bits 6:3.
    public init(rawValue: UInt16) { self.rawValue = rawValue & 0xFF87 }

    /// UARTEN: the UART works at all.
    public static let uartEnable = Control(rawValue: 1 << 0)
    /// SIREN: the IrDA encoder is in the line.
    public static let infraredEnable = Control(rawValue: 1 << 1)
    /// SIRLP: the encoder's pulses are short ones.
    public static let infraredLowPower = Control(rawValue: 1 << 2)
    /// LBE: what is sent is received.
    public static let loopBackEnable = Control(rawValue: 1 << 7)
    /// TXE.
    public static let transmitEnable = Control(rawValue: 1 << 8)
    /// RXE.
    public static let receiveEnable = Control(rawValue: 1 << 9)
    /// DTR.
    public static let dataTransmitReady = Control(rawValue: 1 << 10)
    /// RTS.
    public static let requestToSend = Control(rawValue: 1 << 11)
    /// Out1: an output for any purpose, as a terminal DCD.
    public static let out1 = Control(rawValue: 1 << 12)
    /// Out2: another, as a terminal RI.
    public static let out2 = Control(rawValue: 1 << 13)
    /// RTSEn: RTS follows the room in the receive FIFO.
    public static let requestToSendHardwareFlowControl = Control(rawValue: 1 << 14)
    /// CTSEn: characters are sent only while CTS is there.
    public static let clearToSendHardwareFlowControl = Control(rawValue: 1 << 15)
  }

  /// Bits of UARTIMSC, UARTRIS, UARTMIS and UARTICR (3.3.10 to 3.3.13).
  public struct Interrupts: OptionSet, Sendable, Codable {
    public let rawValue: UInt16
    /// Drops the reserved bits 15:11.
    public init(rawValue: UInt16) { self.rawValue = rawValue & 0x07FF }

    /// RIMIM: nUARTRI changed.
    public static let ringIndicator = Interrupts(rawValue: 1 << 0)
    /// CTSMIM: nUARTCTS changed.
    public static let clearToSend = Interrupts(rawValue: 1 << 1)
    /// DCDMIM: nUARTDCD changed.
    public static let dataCarrierDetect = Interrupts(rawValue: 1 << 2)
    /// DSRMIM: nUARTDSR changed.
    public static let dataSetReady = Interrupts(rawValue: 1 << 3)
    /// RXIM: the receive FIFO has reached its trigger level.
    public static let receive = Interrupts(rawValue: 1 << 4)
    /// TXIM: the transmit FIFO has fallen to its trigger level.
    public static let transmit = Interrupts(rawValue: 1 << 5)
    /// RTIM: characters wait in the receive FIFO, and no more have come for a while.
    public static let receiveTimeout = Interrupts(rawValue: 1 << 6)
    /// FEIM: a character with a framing error came.
    public static let framingError = Interrupts(rawValue: 1 << 7)
    /// PEIM: a character with a parity error came.
    public static let parityError = Interrupts(rawValue: 1 << 8)
    /// BEIM: a break came.
    public static let breakError = Interrupts(rawValue: 1 << 9)
    /// OEIM: the receive FIFO overran.
    public static let overrunError = Interrupts(rawValue: 1 << 10)
  }
}
