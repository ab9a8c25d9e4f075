internal import Support
internal import Synchronization

/// The latest virtual count that any vCPU has seen.
private let latest = Atomic<UInt64>(0)
/// How often a vCPU saw one that another had left behind already.
private let steps = Atomic<UInt64>(0)
private let running = Atomic<UInt64>(0)

/// Has all vCPUs read the virtual counter over and over, and compare. For each `c` from the console it prints
/// `virtual V physical P frequency F steps S vCPUs N`; `q` ends it.
@_cdecl("guest_main")
func main() {
  let console = Console()
  let firmware = Firmware()
  var index: UInt64 = 1
  _ = DeviceTree.current.firstNode { node in
    guard node["device_type"]?.contains(text: "cpu") ?? false, let processor = node.address(),
      processor != Processor.affinity
    else { return false }
    if firmware.cpuOn(processor, index: index) == 0 { index += 1 }
    return index == 512
  }
  running.wrappingAdd(1, ordering: .relaxed)
  while running.load(ordering: .acquiring) < index { look() }
  console.put("Counters\n")
  while true {
    look()
    switch console.get() {
    case 0x63: report(console)
    case 0x71: firmware.systemOff()
    default: break
    }
  }
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  running.wrappingAdd(1, ordering: .releasing)
  while true { look() }
}

/// A count is read behind the latest that is known, so a counter that all share shows none that is smaller.
private func look() {
  let known = latest.load(ordering: .acquiring)
  let count = VirtualTimer.countInOrder
  guard count >= known else {
    steps.wrappingAdd(1, ordering: .relaxed)
    return
  }
  _ = latest.max(count, ordering: .releasing)
}

private func report(_ console: Console) {
  let (virtual, physical) = (VirtualTimer.countInOrder, VirtualTimer.physicalCountInOrder)
  console.put("virtual ")
  console.put(decimal: virtual)
  console.put(" physical ")
  console.put(decimal: physical)
  console.put(" frequency ")
  console.put(decimal: VirtualTimer.frequency)
  console.put(" steps ")
  console.put(decimal: steps.load(ordering: .relaxed))
  console.put(" vCPUs ")
  console.put(decimal: running.load(ordering: .relaxed))
  console.put("\n")
}
