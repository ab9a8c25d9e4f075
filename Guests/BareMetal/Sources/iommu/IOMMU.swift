internal import Support
internal import Synchronization
internal import VirtioDriver

/// Drives the machine's IOMMU and an entropy device behind it, and checks that the device reaches what is mapped for it
/// and nothing else: before it is attached, where nothing is mapped or not for writing, when a mapping has gone, and
/// detached; that the driver is told each time; and that there is an end to mappings.
@_cdecl("guest_main")
func main() {
  guard let machine = findIOMMU(), let (entropy, number) = findEntropy() else {
    Console().put("iommu: no IOMMU with a restricted-dma-pool and an entropy device behind it\n")
    Firmware().systemOff()
  }
  var bench = Bench(machine, entropy, number)
  guard bench.driver.start() else {
    Console().put("iommu: the device does not start\n")
    Firmware().systemOff()
  }
  var tally = Tally()
  checkReach(&bench, &tally)
  checkLimit(&bench, &tally)
  tally.tell()
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
    console.put("iommu NOT ")
    console.put(name)
    console.put("\n")
  }

  func tell() {
    let console = Console()
    console.put("iommu: ")
    console.put(decimal: passed)
    console.put(" passed, ")
    console.put(decimal: failed)
    console.put(" failed\n")
  }
}

private func findIOMMU() -> MappedMachine? {
  let node = DeviceTree.current.firstNode { $0["#iommu-cells"]?.word(0) == 1 }
  guard let node, let address = node.address(), let handle = node["memory-region"]?.word(0),
    DeviceRegister(UInt(address) + UInt(Register.deviceID)).read32() == 23,
    let pool = DeviceTree.current.firstNode(where: { $0["phandle"]?.word(0) == handle }),
    let start = pool.address(), let size = pool.size()
  else { return nil }
  return MappedMachine(registers: UInt(address), windowStart: start, windowSize: size)
}

/// The registers of the first entropy device that is behind an IOMMU, and the number by which that knows it.
private func findEntropy() -> (registers: UInt, number: UInt32)? {
  var found: (UInt, UInt32)?
  _ = DeviceTree.current.firstNode { node in
    guard let number = node["iommus"]?.word(1), let address = node.address(),
      DeviceRegister(UInt(address) + UInt(Register.deviceID)).read32() == 4
    else { return false }
    found = (UInt(address), number)
    return true
  }
  return found
}

/// The IOMMU's driver, and the entropy device with some RAM.
struct Bench {
  typealias Queue = DriverQueue<MappedMachine>
  typealias Fault = IOMMUDriver<MappedMachine>.Fault

  var driver: IOMMUDriver<MappedMachine>
  let entropy: Driver<MappedMachine>
  let number: UInt32
  var queue: Queue
  /// RAM that nobody else uses: the queue's page, and pages of buffers behind it.
  let area: UInt64

  static var page: UInt64 { 0x1000 }
  static var secret: UInt32 { 0x5EC2_E75E }

  init(_ machine: MappedMachine, _ registers: UInt, _ number: UInt32) {
    driver = IOMMUDriver(machine, at: machine.windowStart)
    // 4 MiB before the window, which is behind RAM: neither the guest nor its device tree is there.
    area = machine.windowStart - 0x40_0000
    let device = MappedMachine(registers: registers, windowStart: area, windowSize: 0x10_0000)
    entropy = Driver(device)
    self.number = number
    queue = Queue(device, index: 0, size: 8, at: area)
  }

  func buffer(_ number: UInt64) -> UInt64 { area + number * Self.page }

  // Requests, each with its status; 0xFFFF where none comes.

  mutating func attach(_ domain: UInt32) -> UInt32 {
    driver.attach(domain: domain, endpoint: number)
    return answer()
  }

  mutating func detach(_ domain: UInt32) -> UInt32 {
    driver.detach(domain: domain, endpoint: number)
    return answer()
  }

  mutating func map(_ address: UInt64, to target: UInt64, flags: UInt32 = 3) -> UInt32 {
    driver.map(domain: 1, address, address + (Self.page - 1), to: target, flags: flags)
    return answer()
  }

  mutating func unmap(_ address: UInt64) -> UInt32 {
    driver.unmap(domain: 1, address, address + (Self.page - 1))
    return answer()
  }

  private mutating func answer() -> UInt32 {
    var status: UInt32?
    _ = wait {
      status = driver.status()
      return status != nil
    }
    return status ?? 0xFFFF
  }

  /// Whether the next event says so.
  mutating func isTold(_ reason: UInt32, _ flags: UInt32, at address: UInt64) -> Bool {
    var fault: Fault?
    _ = wait {
      fault = driver.takeFault()
      return fault != nil
    }
    return fault == Fault(reason: reason, flags: flags, endpoint: number, address: address)
  }

  /// From reset to DRIVER_OK with an empty queue.
  mutating func start() -> Bool {
    queue = Queue(entropy.machine, index: 0, size: 8, at: area)
    guard entropy.negotiate(Feature.version1 | Feature.accessPlatform), entropy.enable(queue) else { return false }
    entropy.start()
    return !needsReset
  }

  var needsReset: Bool { entropy.status & Status.deviceNeedsReset != 0 }

  /// Asks for 32 bytes at an address of the device's.
  mutating func ask(_ address: UInt64) {
    queue.writeDescriptor(0, address, 32, flags: Queue.writeFlag)
    queue.offer(0)
    entropy.notify(0)
  }

  /// Whether 32 bytes are written to an address of the device's, which is another one of RAM.
  mutating func works(_ address: UInt64, in place: UInt64) -> Bool {
    fill(place)
    ask(address)
    var used: Queue.Used?
    _ = wait {
      used = queue.takeUsed()
      return used != nil
    }
    return used == Queue.Used(head: 0, written: 32) && !isUntouched(place)
  }

  /// Whether the device is refused an address, and has written nothing to a place of RAM.
  mutating func isRefused(_ address: UInt64, untouched place: UInt64) -> Bool {
    fill(place)
    let used = queue.usedIndex
    ask(address)
    let device = self
    return wait { device.needsReset } && queue.usedIndex == used && isUntouched(place)
  }

  func fill(_ place: UInt64) {
    for word in 0..<UInt64(8) { entropy.machine.store32(Self.secret, at: place + 4 * word) }
  }

  func isUntouched(_ place: UInt64) -> Bool {
    for word in 0..<UInt64(8) where entropy.machine.load32(place + 4 * word) != Self.secret { return false }
    return true
  }
}

private func checkReach(_ bench: inout Bench, _ tally: inout Tally) {
  let (mapped, readOnly, gone, elsewhere) = (bench.buffer(1), bench.buffer(2), bench.buffer(3), bench.buffer(4))
  for number in 0..<UInt16(16) { bench.driver.offerEvent(number) }
  tally.note("notAttached", isRight: !bench.start() && bench.needsReset)
  tally.note("notAttachedIsTold", isRight: bench.isTold(1, 0x101, at: bench.area))
  tally.note("attachOfAnother", isRight: bench.attach(0x1_0000) == 5)
  tally.note("attach", isRight: bench.attach(1) == 0)
  tally.note("nothingMapped", isRight: !bench.start() && bench.needsReset)
  tally.note("nothingMappedIsTold", isRight: bench.isTold(2, 0x101, at: bench.area))
  tally.note("mapOutsideRAM", isRight: bench.map(bench.area, to: bench.driver.driver.machine.windowStart) == 5)
  tally.note("map", isRight: bench.map(bench.area, to: bench.area) == 0 && bench.map(mapped, to: elsewhere) == 0)
  tally.note("mapTwice", isRight: bench.map(mapped, to: mapped) == 4)
  tally.note("start", isRight: bench.start())
  bench.fill(mapped)
  tally.note("works", isRight: bench.works(mapped, in: elsewhere) && bench.isUntouched(mapped))
  tally.note("unmapped", isRight: bench.isRefused(gone, untouched: gone))
  tally.note("unmappedIsTold", isRight: bench.isTold(2, 0x102, at: gone))
  tally.note("worksAfterIt", isRight: bench.start() && bench.works(mapped, in: elsewhere))
  tally.note("mapReadOnly", isRight: bench.map(readOnly, to: readOnly, flags: 1) == 0)
  tally.note("readOnly", isRight: bench.isRefused(readOnly, untouched: readOnly))
  tally.note("readOnlyIsTold", isRight: bench.isTold(2, 0x102, at: readOnly))
  let isMapped = bench.map(gone, to: gone) == 0 && bench.start() && bench.works(gone, in: gone)
  tally.note("mapOneMore", isRight: isMapped && bench.unmap(gone) == 0)
  tally.note("unmappedAgain", isRight: bench.isRefused(gone, untouched: gone))
  tally.note("unmappedAgainIsTold", isRight: bench.isTold(2, 0x102, at: gone))
  tally.note("startAgain", isRight: bench.start() && bench.works(mapped, in: elsewhere))
  bench.fill(elsewhere)
  tally.note("detach", isRight: bench.detach(1) == 0 && bench.needsReset)
  tally.note("detachedIsTold", isRight: bench.isTold(1, 0x101, at: bench.area))
  bench.ask(mapped)
  tally.note("detached", isRight: !bench.start() && bench.isUntouched(elsewhere))
}

/// Maps single pages until there are no more to be had, and all of it goes again.
private func checkLimit(_ bench: inout Bench, _ tally: inout Tally) {
  let end = bench.driver.driver.machine.windowStart
  let memory = DeviceTree.current.firstNode { $0["device_type"]?.contains(text: "memory") ?? false }
  let start = memory?.address() ?? end
  tally.note("attachAnew", isRight: bench.attach(1) == 0)
  var count: UInt64 = 0
  var status: UInt32 = 0
  while status == 0, start + count * Bench.page < end {
    status = bench.map(start + count * Bench.page, to: start)
    if status == 0 { count += 1 }
  }
  let console = Console()
  console.put("iommu: ")
  console.put(decimal: count)
  console.put(" mappings\n")
  tally.note("endlessMaps", isRight: status == 8 && count == 65536)
  tally.note("unmapMakesRoom", isRight: bench.unmap(start) == 0 && bench.map(start, to: start) == 0)
  tally.note("noMoreThanThat", isRight: bench.map(end - Bench.page, to: start) == 8)
  tally.note("detachTakesAll", isRight: bench.detach(1) == 0 && bench.attach(1) == 0)
  tally.note("worksAgain", isRight: bench.map(bench.area, to: bench.area) == 0 && bench.start())
}

/// Waits until `condition` holds, ten seconds at most.
///
/// - Returns: whether it did in time.
private func wait(_ condition: () -> Bool) -> Bool {
  let end = VirtualTimer.count + VirtualTimer.frequency * 10
  while VirtualTimer.count < end { if condition() { return true } }
  return condition()
}
