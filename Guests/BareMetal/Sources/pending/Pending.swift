internal import Support
internal import Synchronization

/// Interrupts that no device has: those of virtio devices' slots that are empty.
private enum Number {
  static var first: UInt32 { 60 }
  static var edge: UInt32 { 61 }
  static var level: UInt32 { 62 }
  /// A private one that nothing drives.
  static var own: UInt32 { 20 }
}

/// What each vCPU has taken: eight bits each, the latest below.
private let taken = Atomic<UInt64>(0)
private let takenByOther = Atomic<UInt64>(0)
private let count = Atomic<UInt64>(0)
private let isOtherReady = Atomic<Bool>(false)
private let mayOtherTake = Atomic<Bool>(false)

/// Has interrupts of all kinds pend and one be active, keeps both vCPUs busy without taking any, and prints `Pending`.
/// When a `g` comes it takes them, in the order of their priorities, and tells: whether the active one still was, and
/// with which priority; how many came while that held them back; how many reads of a register of the console's went
/// wrong; and what each of the two vCPUs took.
@_cdecl("guest_main")
func main() {
  let console = Console()
  guard let controller = InterruptController() else {
    console.put("No GIC\n")
    Firmware().systemOff()
  }
  controller.start()
  prepare(controller, Number.first, priority: 0x20)
  prepare(controller, VirtualTimer.interrupt, priority: 0x30)
  prepare(controller, Number.level, priority: 0x40)
  prepare(controller, 3, priority: 0x50)
  prepare(controller, Number.own, priority: 0x58)
  prepare(controller, Number.edge, priority: 0x60)
  prepare(controller, 5, priority: 0x70)
  controller.setEdge(Number.first)
  controller.setEdge(Number.edge)
  startOther()
  while !isOtherReady.load(ordering: .acquiring) {}

  controller.setPending(Number.first)
  while controller.acknowledgeWithSource() != Number.first {}
  // Active, and pending once more.
  controller.setPending(Number.first)
  controller.setPending(Number.edge)
  controller.setPending(Number.level)
  controller.setPending(Number.own)
  controller.send(3, to: 0)
  controller.send(5, to: 0)
  controller.send(6, to: 1)
  VirtualTimer.start(in: 1)
  console.put("Pending\n")
  let wrong = waitForGo(console)

  let isActive = controller.isActive(Number.first)
  let priority = controller.runningPriority
  take(milliseconds: 5)
  let early = count.load(ordering: .relaxed)
  controller.end(interrupt: Number.first)
  take(milliseconds: 100)
  mayOtherTake.store(true, ordering: .releasing)
  // On a host with one processor the other vCPU waits for this one's to be taken away.
  let start = VirtualTimer.count
  while takenByOther.load(ordering: .acquiring) == 0, VirtualTimer.count - start < 10 * VirtualTimer.frequency {}
  take(milliseconds: 100)

  console.put(isActive ? "active " : "not active ")
  console.put(hexadecimal: UInt64(priority))
  console.put(", early ")
  console.put(decimal: early)
  console.put(", wrong ")
  console.put(decimal: wrong)
  console.put(", taken")
  put(console, taken.load(ordering: .relaxed))
  console.put(", by the other")
  put(console, takenByOther.load(ordering: .acquiring))
  console.put("\n")
  Firmware().systemOff()
}

private func prepare(_ controller: InterruptController, _ number: UInt32, priority: UInt8) {
  controller.setPriority(of: number, priority)
  controller.enable(interrupt: number)
}

private func startOther() {
  let firmware = Firmware()
  _ = DeviceTree.current.firstNode { node in
    guard node["device_type"]?.contains(text: "cpu") ?? false, let processor = node.address(),
      processor != Processor.affinity
    else { return false }
    return firmware.cpuOn(processor, index: 1) == 0
  }
}

/// Keeps the vCPU busy, in its own code and in accesses to the console.
///
/// - Returns: how many reads did not give what the register has.
private func waitForGo(_ console: Console) -> UInt64 {
  // UARTPeriphID0.
  let register = DeviceRegister(console.base + 0xFE0)
  var wrong: UInt64 = 0
  while true {
    let start = VirtualTimer.count
    while VirtualTimer.count - start < VirtualTimer.frequency / 10_000 {}
    for _ in 0..<16 where register.read32() != 0x11 { wrong += 1 }
    if console.get() == 0x67 { return wrong }
  }
}

/// Lets interrupts come for this time.
private func take(milliseconds: UInt64) {
  let start = VirtualTimer.count
  Processor.unmaskInterrupts()
  while VirtualTimer.count - start < VirtualTimer.frequency / 1000 * milliseconds {}
  Processor.maskInterrupts()
}

private func put(_ console: Console, _ numbers: UInt64) {
  for place in (0..<8).reversed() {
    let number = numbers >> UInt64(8 * place) & 0xFF
    guard number != 0 else { continue }
    console.put(" ")
    console.put(decimal: number)
  }
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  guard let controller = InterruptController() else { return }
  controller.start()
  prepare(controller, 6, priority: 0x40)
  controller.send(5, to: 0)
  isOtherReady.store(true, ordering: .releasing)
  while !mayOtherTake.load(ordering: .acquiring) {}
  Processor.unmaskInterrupts()
  while true {}
}

@_cdecl("guest_interrupt")
func interrupt() {
  guard let controller = InterruptController() else { return }
  let whole = controller.acknowledgeWithSource()
  let number = whole & 0x3FF
  guard number < 1020 else { return }
  if number == VirtualTimer.interrupt { VirtualTimer.stop() }
  if Processor.affinity == 0 {
    taken.store(taken.load(ordering: .relaxed) << 8 | UInt64(number), ordering: .relaxed)
    count.wrappingAdd(1, ordering: .relaxed)
  } else {
    takenByOther.store(takenByOther.load(ordering: .relaxed) << 8 | UInt64(number), ordering: .releasing)
  }
  controller.end(interrupt: whole)
}
