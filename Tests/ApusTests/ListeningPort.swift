import Host

@testable import Apus

/// Of the PL011, ARM DDI 0183, 3.3.
enum SerialRegister {
  static let data: UInt64 = 0x00
  static let flags: UInt64 = 0x18
  static let lineControl: UInt64 = 0x2C
  static let control: UInt64 = 0x30
  static let interruptMask: UInt64 = 0x38
  static let maskedStatus: UInt64 = 0x40
}

extension SerialPort {
  /// A port whose guest has its FIFOs and its interrupts for what is received on.
  static func listening(_ line: LevelInterrupt) throws -> SerialPort {
    let port = try SerialPort(interrupt: line)
    port.write(0x70, at: SerialRegister.lineControl, width: 4)
    port.write(0x301, at: SerialRegister.control, width: 4)
    port.write(1 << 4 | 1 << 6, at: SerialRegister.interruptMask, width: 4)
    return port
  }
}
