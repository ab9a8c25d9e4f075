internal import Support

/// Reads a register of the PL011 `count=` times (10,000 without), prints nothing and powers off.
@_cdecl("guest_main")
func main() {
  let base = DeviceTree.current.firstNode(compatibleWith: "arm,pl011")?.address() ?? 0x0900_0000
  let flags = DeviceRegister(UInt(base) + Console.flagRegisterOffset)
  flags.read32(times: BootArguments().number("count") ?? 10_000)
  Firmware().systemOff()
}
