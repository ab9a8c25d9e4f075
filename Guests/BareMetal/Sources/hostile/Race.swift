internal import Support
internal import Synchronization
internal import VirtioDriver

/// The queue that the second vCPU spoils; 0 while there is to be peace.
private let spoiled = Atomic<UInt64>(0)
private let isSpoiling = Atomic<Bool>(false)

/// Starts the second vCPU, if there is one.
func startRacer() -> Bool {
  let processor = DeviceTree.current.firstNode { node in
    (node["device_type"]?.contains(text: "cpu") ?? false) && node.address() != Processor.affinity
  }
  guard let address = processor?.address() else { return false }
  return Firmware().cpuOn(address, index: 1) == 0
}

/// For two seconds the second vCPU changes descriptors, ring and requests, while this one kicks and resets.
///
/// - Returns: whether the device always came back, and the second vCPU has stopped.
func race(_ target: inout Target) -> Bool {
  spoiled.store(target.area, ordering: .releasing)
  Processor.sendEvent()
  var hasAlwaysStarted = true
  let end = VirtualTimer.count + 2 * VirtualTimer.frequency
  while hasAlwaysStarted, VirtualTimer.count < end {
    // The second vCPU may make the queue's content bad before the device has started, but no more than that.
    _ = target.start()
    hasAlwaysStarted = target.driver.status & Status.driverOK != 0
    let attacked = target
    _ = wait(milliseconds: 5) {
      attacked.driver.notify(0)
      return attacked.needsReset
    }
  }
  spoiled.store(0, ordering: .releasing)
  return wait(milliseconds: 5000) { !isSpoiling.load(ordering: .acquiring) } && hasAlwaysStarted
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  var random: UInt64 = 1
  while true {
    let area = spoiled.load(ordering: .acquiring)
    guard area != 0 else {
      isSpoiling.store(false, ordering: .releasing)
      Processor.waitForEvent()
      continue
    }
    isSpoiling.store(true, ordering: .releasing)
    for _ in 0..<256 { spoil(area, &random) }
  }
}

/// Mostly plausible values, so that the device gets past its first check before something changes.
private func spoil(_ area: UInt64, _ random: inout UInt64) {
  random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
  let choice = random >> 33
  let descriptor = UInt(area + 16 * (choice & 3))
  let availableRing = UInt(area + 16 * UInt64(Target.queueSize))
  switch choice >> 2 & 7 {
  case 0: DeviceRegister(descriptor).write64(choice & 0x100 == 0 ? area + 0x1000 : random)
  case 1: DeviceRegister(descriptor).write64(area + 0x1000)
  case 2: DeviceRegister(descriptor + 8).write32(choice & 0xF00 == 0 ? .max : 16)
  case 3: DeviceRegister(descriptor + 12).write16(UInt16(choice >> 8 & 7))
  case 4: DeviceRegister(descriptor + 14).write16(UInt16(choice >> 8 & 3))
  case 5: DeviceRegister(UInt(area + 0x1000)).write32(UInt32(choice >> 8 & 15))
  case 6: DeviceRegister(availableRing + 4 + 2 * UInt(choice >> 8 & 15)).write16(UInt16(choice >> 12 & 3))
  default:
    let index = DeviceRegister(availableRing + 2)
    index.write16(index.read16() &+ 1)
  }
}
