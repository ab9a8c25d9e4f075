internal import Support

/// Touches an address where there is neither memory nor a device, in the way that a boot argument names: `read`
/// (without any), `write`, `load-pair`, `store-pair` or `jump`. `address=` names another address.
@_cdecl("guest_main")
func main() {
  let arguments = BootArguments()
  let console = Console()
  let jumps = arguments.contains("jump")
  let address = UInt(arguments.number("address") ?? (jumps ? behindMemory() : 0x0B00_0000))
  console.put("Touching ")
  console.put(hexadecimal: UInt64(address))
  console.put("\n")
  if jumps {
    Probe.jump(address)
  } else if arguments.contains("write") {
    Probe.write(address)
  } else if arguments.contains("load-pair") {
    Probe.loadPair(address)
  } else if arguments.contains("store-pair") {
    Probe.storePair(address)
  } else {
    Probe.read(address)
  }
  console.put("Nothing happened\n")
  Firmware().systemOff()
}

/// Code can only be fetched from where memory may be: 16 MiB behind its end.
private func behindMemory() -> UInt64 {
  let memory = DeviceTree.current.firstNode { $0["device_type"]?.contains(text: "memory") ?? false }
  guard let start = memory?.address(), let size = memory?.size() else { return 0x70_0000_0000 }
  return start + size + 0x100_0000
}
