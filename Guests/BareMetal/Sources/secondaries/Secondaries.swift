internal import Support
internal import Synchronization

private let reported = Atomic<UInt64>(0)

/// Starts all vCPUs of the device tree at once, has each report its MPIDR_EL1, and powers off when all have.
@_cdecl("guest_main")
func main() {
  report(index: 0)
  let firmware = Firmware()
  var index: UInt64 = 1
  var failed: UInt64 = 0
  _ = DeviceTree.current.firstNode { node in
    guard node["device_type"]?.contains(text: "cpu") ?? false, let processor = node.address(),
      processor != Processor.affinity
    else { return false }
    let status = firmware.cpuOn(processor, index: index)
    if status != 0 {
      failed += 1
      reportFailure(processor, status)
    }
    index += 1
    return index == 512
  }
  while reported.load(ordering: .acquiring) + failed < index { Processor.waitForEvent() }
  Console.withLock { console in
    console.put(decimal: index - failed)
    console.put(" of ")
    console.put(decimal: index)
    console.put(" vCPUs\n")
  }
  firmware.systemOff()
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  report(index: index)
  Firmware().cpuOff()
}

private func report(index: UInt64) {
  Console.withLock { console in
    console.put("vCPU ")
    console.put(decimal: index)
    console.put(" MPIDR ")
    console.put(hexadecimal: Processor.affinity)
    console.put("\n")
  }
  reported.wrappingAdd(1, ordering: .releasing)
  Processor.sendEvent()
}

private func reportFailure(_ processor: UInt64, _ status: Int64) {
  Console.withLock { console in
    console.put("CPU_ON ")
    console.put(hexadecimal: processor)
    console.put(" = ")
    console.put(result: status)
    console.put("\n")
  }
}
