/// The pvpanic device, if there is one.
public enum Panic {
  /// Reports the events whose bits are set (0: panicked, 1: crash loaded, 2: shut down).
  ///
  /// - Returns: the events that the device knows, or `nil` if there is no device.
  @discardableResult
  public static func report(_ events: UInt8) -> UInt8? {
    guard let address = DeviceTree.current.firstNode(compatibleWith: "qemu,pvpanic-mmio")?.address() else { return nil }
    let register = DeviceRegister(UInt(address))
    let known = register.read8()
    register.write8(events)
    return known
  }
}

/// Where an exception ends that the guest did not expect: says which and where, reports a panic and powers off.
///
/// - Parameters:
///   - entry: the number of the entry in the vector table (Arm ARM, D1.3.1).
@_cdecl("machine_exception")
func exception(entry: UInt64, syndrome: UInt64, address: UInt64, returnAddress: UInt64) {
  // A machine that another one has started may have no console.
  guard !DeviceTree.isPresent || DeviceTree.current.firstNode(compatibleWith: "arm,pl011") != nil else {
    Firmware().systemOff()
  }
  let console = Console()
  console.put("EXCEPTION entry ")
  console.put(decimal: entry)
  console.put(" ESR_EL1 ")
  console.put(hexadecimal: syndrome, digits: 8)
  console.put(" FAR_EL1 ")
  console.put(hexadecimal: address, digits: 16)
  console.put(" ELR_EL1 ")
  console.put(hexadecimal: returnAddress, digits: 16)
  console.put("\n")
  Panic.report(1)
  Firmware().systemOff()
}
