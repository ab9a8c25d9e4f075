internal import Support
internal import Synchronization

private let finished = Atomic<UInt64>(0)

/// Has each vCPU of the device tree print what it reads of its ID registers, one after another, and powers off.
@_cdecl("guest_main")
func main() {
  report(index: 0)
  let firmware = Firmware()
  var index: UInt64 = 1
  _ = DeviceTree.current.firstNode { node in
    guard node["device_type"]?.contains(text: "cpu") ?? false, let processor = node.address(),
      processor != Processor.affinity, firmware.cpuOn(processor, index: index) == 0
    else { return false }
    index += 1
    return false
  }
  while finished.load(ordering: .acquiring) < index { Processor.waitForEvent() }
  firmware.systemOff()
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  report(index: index)
  Firmware().cpuOff()
}

private func report(index: UInt64) {
  Console.withLock { console in
    for register in 8..<UInt64(64) {
      console.put("vCPU ")
      console.put(decimal: index)
      console.put(" S3_0_C0_C")
      console.put(decimal: register >> 3)
      console.put("_")
      console.put(decimal: register & 7)
      console.put(" ")
      console.put(hexadecimal: Processor.identification(register))
      console.put("\n")
    }
    console.put("vCPU ")
    console.put(decimal: index)
    console.put(" S3_3_C0_C0_1 ")
    console.put(hexadecimal: Processor.cacheType)
    console.put("\n")
  }
  finished.wrappingAdd(1, ordering: .releasing)
  Processor.sendEvent()
}
