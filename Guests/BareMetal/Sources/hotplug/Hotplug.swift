internal import Support
internal import Synchronization
internal import VirtioDriver

/// Drives the memory device of the machine as no good driver does, and checks each answer; then touches memory that it
/// has given back, in the way that a boot argument names: `read`, `write`, `load-pair` or `jump`. Without any it powers
/// off. A second vCPU reads living memory meanwhile.
@_cdecl("guest_main")
func main() {
  guard let machine = findDevice(24) else {
    Console().put("hotplug: no memory device with a restricted-dma-pool\n")
    Firmware().systemOff()
  }
  var memory = MemoryDriver(machine)
  var tally = Tally()
  tally.note(
    "negotiatedWithoutUnpluggedInaccessible",
    isRight: !memory.driver.negotiate(memory.driver.offeredFeatures & ~2)
  )
  guard memory.start() else {
    Console().put("hotplug: the device does not start\n")
    Firmware().systemOff()
  }
  if BootArguments().contains("reset") { resetPlugged(&memory) }
  if BootArguments().contains("limited") {
    checkLimit(&memory, &tally)
    tally.tell()
    Firmware().systemOff()
  }
  checkRefusals(&memory, &tally)
  checkMemory(&memory, &tally)
  checkOtherDevice(&memory, &tally)
  tally.tell()
  touch(&memory)
  Firmware().systemOff()
}

struct Tally {
  private var passed: UInt64 = 0
  private var failed: UInt64 = 0

  mutating func note(_ name: StaticString, isRight: Bool) {
    if isRight {
      passed += 1
      return
    }
    failed += 1
    let console = Console()
    console.put("hotplug NOT ")
    console.put(name)
    console.put("\n")
  }

  func tell() {
    let console = Console()
    console.put("hotplug: ")
    console.put(decimal: passed)
    console.put(" passed, ")
    console.put(decimal: failed)
    console.put(" failed\n")
  }
}

/// The first virtio device of a type that has a window.
private func findDevice(_ type: UInt32) -> MappedMachine? {
  var found: MappedMachine?
  _ = DeviceTree.current.firstNode { node in
    guard node["compatible"]?.contains(text: "virtio,mmio") ?? false, let address = node.address(),
      DeviceRegister(UInt(address) + UInt(Register.deviceID)).read32() == type,
      let handle = node["memory-region"]?.word(0),
      let pool = DeviceTree.current.firstNode(where: { $0["phandle"]?.word(0) == handle }),
      let start = pool.address(), let size = pool.size()
    else { return false }
    found = MappedMachine(registers: UInt(address), windowStart: start, windowSize: size)
    return true
  }
  return found
}

/// With nothing plugged and 16 blocks requested.
private func checkRefusals(_ memory: inout MemoryDriver, _ tally: inout Tally) {
  typealias Request = MemoryDriver.Request
  typealias Response = MemoryDriver.Response
  let blocks = memory.regionSize / memory.blockSize
  let usable = memory.usableSize / memory.blockSize
  tally.note("stateOfNothing", isRight: memory.ask(Request.state) == Response.error)
  tally.note("stateOfUnplugged", isRight: memory.ask(Request.state, count: usable) == Response.unplugged)
  tally.note("plugOfNothing", isRight: memory.ask(Request.plug) == Response.error)
  tally.note("plugUnaligned", isRight: memory.ask(Request.plug, count: 1, offset: 0x1000) == Response.error)
  tally.note("plugBeforeTheRegion", isRight: memory.ask(Request.plug, block: 0 &- 1, count: 2) == Response.error)
  tally.note(
    "plugOfRAM",
    isRight: memory.ask(Request.plug, count: 1, offset: 0x4000_0000 &- memory.address) == Response.error
  )
  tally.note("plugBehindTheUsable", isRight: memory.ask(Request.plug, block: usable, count: 1) == Response.error)
  tally.note("plugBehindTheRegion", isRight: memory.ask(Request.plug, block: blocks, count: 1) == Response.error)
  tally.note("plugOverTheEnd", isRight: memory.ask(Request.plug, block: usable - 1, count: 2) == Response.error)
  tally.note("plugBeyondRequested", isRight: memory.ask(Request.plug, count: 17) == Response.refused)
  tally.note("unplugOfUnplugged", isRight: memory.ask(Request.unplug, count: 1) == Response.error)
  tally.note("unknownRequest", isRight: memory.ask(4, count: 1) == Response.error)
  tally.note("nothingIsPlugged", isRight: memory.pluggedSize == 0)
  tally.note("unplugAllOfNothing", isRight: memory.ask(Request.unplugAll) == Response.acknowledged)
}

/// Tells what it finds, plugs something and resets the machine once it is to have another size.
private func resetPlugged(_ memory: inout MemoryDriver) -> Never {
  let console = Console()
  let requested = memory.requestedSize
  console.put("hotplug: has ")
  console.put(decimal: memory.pluggedSize / memory.blockSize)
  console.put(" of ")
  console.put(decimal: requested / memory.blockSize)
  console.put(" blocks\n")
  let answer = memory.ask(MemoryDriver.Request.plug, block: 1, count: 2)
  console.put(answer == MemoryDriver.Response.acknowledged ? "hotplug: plugged\n" : "hotplug NOT plugged\n")
  fill(memory, 1)
  let waiting = memory
  _ = wait { waiting.requestedSize != requested }
  Firmware().systemReset()
}

/// With 16 blocks requested some time after the start, and a machine that may have two of them.
private func checkLimit(_ memory: inout MemoryDriver, _ tally: inout Tally) {
  typealias Request = MemoryDriver.Request
  typealias Response = MemoryDriver.Response
  let waiting = memory
  tally.note("request", isRight: wait { waiting.requestedSize == 16 * waiting.blockSize })
  tally.note("plugBeyondTheLimit", isRight: memory.ask(Request.plug, count: 3) == Response.busy)
  tally.note("plugUpToTheLimit", isRight: memory.ask(Request.plug, count: 2) == Response.acknowledged)
  tally.note("plugAtTheLimit", isRight: memory.ask(Request.plug, block: 2, count: 1) == Response.busy)
  tally.note("unplug", isRight: memory.ask(Request.unplug, count: 1) == Response.acknowledged)
  tally.note("plugOfWhatIsFreeAgain", isRight: memory.ask(Request.plug, block: 2, count: 1) == Response.acknowledged)
}

private func checkMemory(_ memory: inout MemoryDriver, _ tally: inout Tally) {
  typealias Request = MemoryDriver.Request
  typealias Response = MemoryDriver.Response
  tally.note("plug", isRight: memory.ask(Request.plug, block: 2, count: 8) == Response.acknowledged)
  tally.note("plugOverlapping", isRight: memory.ask(Request.plug, block: 9, count: 2) == Response.error)
  tally.note("plugOnceMoreBeyondRequested", isRight: memory.ask(Request.plug, block: 10, count: 9) == Response.refused)
  tally.note("stateOfMixed", isRight: memory.ask(Request.state, count: 4) == Response.mixed)
  for block in UInt64(2)..<10 { fill(memory, block) }
  let reader = Reader(memory.address + 2 * memory.blockSize, tag(2))
  let reads = Reader.reads
  var isRight = true
  for round in 0..<BootArguments().number("rounds", or: 8) {
    // A part of what was plugged at once: the slot over it is replaced while the other vCPU reads.
    let block = 3 + round % 6
    isRight = isRight && memory.ask(Request.unplug, block: block, count: 1) == Response.acknowledged
    isRight = isRight && memory.ask(Request.state, block: block, count: 1) == Response.unplugged
    for other in UInt64(2)..<10 where other != block { isRight = isRight && holds(memory, other, tag(other)) }
    isRight = isRight && memory.ask(Request.plug, block: block, count: 1) == Response.acknowledged
    isRight = isRight && holds(memory, block, 0)
    fill(memory, block)
  }
  tally.note("unplugOfParts", isRight: isRight)
  if let reader {
    tally.note("theOtherVCPUReadsMeanwhile", isRight: Reader.reads > reads)
    tally.note("theOtherVCPUReadsWhatIsThere", isRight: reader.end())
  }
  let isCutShort = memory.ask(Request.plug, block: 10, count: 1, length: 23) == Response.none && memory.needsReset
  tally.note("requestCutShort", isRight: isCutShort)
  tally.note("startAgain", isRight: memory.start())
  tally.note("aResetKeepsTheBlocks", isRight: memory.ask(Request.state, block: 2, count: 8) == Response.plugged)
  var keeps = memory.pluggedSize == 8 * memory.blockSize
  for block in UInt64(2)..<10 { keeps = keeps && holds(memory, block, tag(block)) }
  tally.note("aResetKeepsTheMemory", isRight: keeps)
}

/// An entropy device that is told to write to hot-plug memory, which is no part of its window.
private func checkOtherDevice(_ memory: inout MemoryDriver, _ tally: inout Tally) {
  guard let machine = findDevice(4) else { return }
  let driver = Driver(machine)
  // Behind what the memory device uses of the window, where that is the same.
  var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart + 0x2000)
  let features = driver.offeredFeatures & ~(1 << 29)
  guard driver.negotiate(features), driver.enable(queue) else {
    tally.note("theOtherDeviceStarts", isRight: false)
    return
  }
  driver.start()
  queue.writeDescriptor(0, memory.address + 2 * memory.blockSize, 64, flags: DriverQueue<MappedMachine>.writeFlag)
  queue.offer(0)
  driver.notify(0)
  let isRefused = wait { driver.status & Status.deviceNeedsReset != 0 } && queue.usedIndex == 0
  tally.note("noDeviceReachesHotplugMemory", isRight: isRefused && holds(memory, 2, tag(2)))
}

private func touch(_ memory: inout MemoryDriver) {
  let arguments = BootArguments()
  // In the middle of what stays plugged.
  guard memory.ask(MemoryDriver.Request.unplug, block: 5, count: 1) == MemoryDriver.Response.acknowledged else {
    return
  }
  let address = UInt(memory.address + 5 * memory.blockSize)
  let console = Console()
  console.put("Touching ")
  console.put(hexadecimal: UInt64(address))
  console.put("\n")
  if arguments.contains("read") { Probe.read(address) }
  if arguments.contains("write") { Probe.write(address) }
  if arguments.contains("load-pair") { Probe.loadPair(address) }
  if arguments.contains("jump") { Probe.jump(address) }
  console.put("Nothing happened\n")
}

private func tag(_ block: UInt64) -> UInt32 { 0xB10C_0000 + UInt32(block) }

/// Writes to the first and the last words of a block.
private func fill(_ memory: MemoryDriver, _ block: UInt64) {
  let start = UInt(memory.address + block * memory.blockSize)
  DeviceRegister(start).write32(tag(block))
  DeviceRegister(start + UInt(memory.blockSize) - 4).write32(tag(block))
}

private func holds(_ memory: MemoryDriver, _ block: UInt64, _ value: UInt32) -> Bool {
  let start = UInt(memory.address + block * memory.blockSize)
  return DeviceRegister(start).read32() == value && DeviceRegister(start + UInt(memory.blockSize) - 4).read32() == value
}

extension BootArguments {
  func number(_ name: StaticString, or standard: UInt64) -> UInt64 { number(name) ?? standard }
}

/// The second vCPU, which reads a word of memory that stays plugged for as long as there is work.
struct Reader {
  fileprivate static let address = Atomic<UInt64>(0)
  fileprivate static let value = Atomic<UInt32>(0)
  fileprivate static let count = Atomic<UInt64>(0)
  fileprivate static let isWrong = Atomic<Bool>(false)
  fileprivate static let isEnding = Atomic<Bool>(false)
  fileprivate static let hasEnded = Atomic<Bool>(false)

  static var reads: UInt64 { count.load(ordering: .relaxed) }

  /// Begins; nil where there is no second vCPU.
  init?(_ address: UInt64, _ value: UInt32) {
    let node = DeviceTree.current.firstNode { node in
      (node["device_type"]?.contains(text: "cpu") ?? false) && node.address() != Processor.affinity
    }
    guard let processor = node?.address() else { return nil }
    Self.address.store(address, ordering: .relaxed)
    Self.value.store(value, ordering: .releasing)
    guard Firmware().cpuOn(processor, index: 1) == 0, wait({ Self.reads > 0 }) else { return nil }
  }

  /// - Returns: whether it ended, and all that it read was right.
  func end() -> Bool {
    Self.isEnding.store(true, ordering: .releasing)
    return wait { Self.hasEnded.load(ordering: .acquiring) } && !Self.isWrong.load(ordering: .relaxed)
  }
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  let register = DeviceRegister(UInt(Reader.address.load(ordering: .relaxed)))
  let value = Reader.value.load(ordering: .acquiring)
  while !Reader.isEnding.load(ordering: .acquiring) {
    if register.read32() != value { Reader.isWrong.store(true, ordering: .relaxed) }
    Reader.count.add(1, ordering: .relaxed)
  }
  Reader.hasEnded.store(true, ordering: .releasing)
  Firmware().cpuOff()
}
