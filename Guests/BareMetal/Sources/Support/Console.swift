internal import Synchronization

/// The PL011 (ARM DDI 0183) of the device tree, polled.
public struct Console: Sendable {
  /// Of the registers, in bytes from ``base``.
  private enum Offset {
    static var data: UInt { 0x00 }
    static var flags: UInt { 0x18 }
    static var lineControl: UInt { 0x2C }
    static var control: UInt { 0x30 }
    static var interruptMask: UInt { 0x38 }
  }

  /// 0 until the console is used first: a guest that prints nothing does not touch the device.
  private static let foundBase = Atomic<UInt>(0)

  /// One vCPU prints at a time.
  private static let isTaken = Atomic<Bool>(false)

  public let base: UInt

  /// The console, enabled: eight bits and FIFOs, both directions.
  public init() {
    let found = Self.foundBase.load(ordering: .relaxed)
    guard found == 0 else {
      base = found
      return
    }
    base = UInt(DeviceTree.current.firstNode(compatibleWith: "arm,pl011")?.address() ?? 0x0900_0000)
    Self.foundBase.store(base, ordering: .relaxed)
    DeviceRegister(base + Offset.lineControl).write32(0x70)  // WLEN 8 bits, FEN
    DeviceRegister(base + Offset.control).write32(0x301)  // RXE, TXE, UARTEN
  }

  /// Where UARTFR is.
  public static var flagRegisterOffset: UInt { Offset.flags }

  public func put(_ character: UInt8) {
    while DeviceRegister(base + Offset.flags).read32() & 1 << 5 != 0 {}  // TXFF
    DeviceRegister(base + Offset.data).write32(UInt32(character))
  }

  /// The next received character, or `nil` if there is none.
  public func get() -> UInt8? {
    guard DeviceRegister(base + Offset.flags).read32() & 1 << 4 == 0 else { return nil }  // RXFE
    return UInt8(truncatingIfNeeded: DeviceRegister(base + Offset.data).read32())
  }

  /// Asserts the device's interrupt whenever something was received (RXIM and RTIM).
  public func enableReceiveInterrupts() {
    DeviceRegister(base + Offset.interruptMask).write32(1 << 4 | 1 << 6)
  }

  /// Asserts the device's interrupt no more.
  public func disableInterrupts() { DeviceRegister(base + Offset.interruptMask).write32(0) }

  /// Lets `body` print without another vCPU's characters in between.
  public static func withLock(_ body: (Console) -> Void) {
    while isTaken.exchange(true, ordering: .acquiring) {}
    body(Console())
    isTaken.store(false, ordering: .releasing)
  }
}

extension Console {
  public func put(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { put(text.byte(index)) }
  }

  public func put(decimal number: UInt64) {
    if number >= 10 { put(decimal: number / 10) }
    put(UInt8(0x30 + number % 10))
  }

  /// With 0x in front, capital digits, and zeroes up to `digits`.
  public func put(hexadecimal number: UInt64, digits: Int = 1) {
    put("0x")
    for place in (0..<16).reversed() where place < digits || number >> UInt64(4 * place) != 0 {
      let digit = UInt8(number >> UInt64(4 * place) & 0xF)
      put(digit < 10 ? 0x30 + digit : 0x41 + digit - 10)
    }
  }

  /// For what a firmware call gave: negative error codes in decimal, all else in hexadecimal, of 64 bits or of 32.
  public func put(result: Int64, isWide: Bool = true) {
    if -0x1000..<0 ~= result {
      put("-")
      put(decimal: result.magnitude)
    } else {
      put(hexadecimal: isWide ? UInt64(bitPattern: result) : UInt64(UInt32(truncatingIfNeeded: result)))
    }
  }
}
