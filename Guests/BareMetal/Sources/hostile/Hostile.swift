internal import Support
internal import Synchronization
internal import VirtioDriver

/// Attacks every entropy and block device of the machine with every case of VirtioDriver, and with a second vCPU that
/// changes what the device reads; checks each outcome, and that good requests work afterwards, also of another device.
/// `rounds=N`: in each race at least N requests are answered and as many refused (2).
@_cdecl("guest_main")
func main() {
  var first: Target?
  var second: Target?
  findTargets { target in
    if first == nil { first = target } else if second == nil { second = target }
  }
  guard var one = first else {
    Console().put("hostile: no entropy or block device with a restricted-dma-pool\n")
    Firmware().systemOff()
  }
  let racer = Racer()
  Nap.prepare()
  var tally = Tally()
  if var two = second {
    guard one.start(), two.start() else { notReady() }
    attack(&one, beside: &two, racer, &tally)
    attack(&two, beside: &one, racer, &tally)
  } else {
    var none: Target?
    guard one.start() else { notReady() }
    attack(&one, beside: &none, racer, &tally)
  }
  let console = Console()
  console.put("hostile: raced ")
  console.put(decimal: tally.races.answered)
  console.put(" requests that were answered and ")
  console.put(decimal: tally.races.refused)
  console.put(" that were refused\n")
  console.put("hostile: ")
  console.put(decimal: tally.passed)
  console.put(" passed, ")
  console.put(decimal: tally.failed)
  console.put(" failed\n")
  Firmware().systemOff()
}

private func notReady() -> Never {
  Console().put("hostile: a device does not start\n")
  Firmware().systemOff()
}

struct Tally {
  var passed: UInt64 = 0
  var failed: UInt64 = 0
  var races = RaceCount()

  /// Prints a case's line.
  mutating func note(
    _ target: Target,
    _ name: StaticString,
    _ outcome: StaticString,
    isRight: Bool,
    works: Bool,
    othersWork: Bool
  ) {
    let console = Console()
    console.put("hostile ")
    console.put(target.kind.name)
    console.put(decimal: target.slot)
    console.put(" ")
    console.put(name)
    console.put(isRight ? ": " : ": NOT ")
    console.put(outcome)
    console.put(works ? ", works again" : ", DOES NOT WORK AGAIN")
    console.put(othersWork ? "\n" : ", THE OTHER DEVICE STOPPED\n")
    if isRight, works, othersWork { passed += 1 } else { failed += 1 }
  }
}

private func findTargets(_ body: (Target) -> Void) {
  var slot: UInt64 = 0
  _ = DeviceTree.current.firstNode { node in
    guard node["compatible"]?.contains(text: "virtio,mmio") ?? false, let address = node.address() else { return false }
    defer { slot += 1 }
    guard let handle = node["memory-region"]?.word(0),
      let pool = DeviceTree.current.firstNode(where: { $0["phandle"]?.word(0) == handle }),
      let start = pool.address(), let size = pool.size(),
      let kind = Target.Kind(rawValue: DeviceRegister(UInt(address) + UInt(Register.deviceID)).read32())
    else { return false }
    let machine = MappedMachine(registers: UInt(address), windowStart: start, windowSize: size)
    body(Target(kind, slot: slot, machine, area: start + slot * 0x1_0000))
    return false
  }
}

private func attack(_ target: inout Target, beside other: inout Target, _ racer: Racer?, _ tally: inout Tally) {
  var bystander: Target? = other
  attack(&target, beside: &bystander, racer, &tally)
  if let bystander { other = bystander }
}

private func attack(_ target: inout Target, beside other: inout Target?, _ racer: Racer?, _ tally: inout Tally) {
  var number: UInt8 = 0
  while let hostile = HostileChain(rawValue: number) {
    let used = target.queue.usedIndex
    hostile.build(on: &target.queue, buffer: target.buffer)
    target.driver.notify(0)
    let attacked = target
    let isRight = wait(milliseconds: 5000) { attacked.needsReset } && target.queue.usedIndex == used
    conclude(&target, beside: &other, hostile.name, "needs-reset", isRight: isRight, &tally)
    number += 1
  }
  number = 0
  while let hostile = HostileSetup(rawValue: number) {
    let (outcome, isRight) = attempt(hostile, on: target)
    conclude(&target, beside: &other, hostile.name, outcome, isRight: isRight, &tally)
    number += 1
  }
  guard let racer else { return }
  let rounds = BootArguments().number("rounds") ?? 2
  number = 0
  while let race = Race(number, target.kind) {
    let isRight = race.run(&target, racer, rounds: rounds, &tally.races)
    conclude(&target, beside: &other, race.name, "raced", isRight: isRight, &tally)
    number += 1
  }
  conclude(&target, beside: &other, "anythingSpoiled", "outlived", isRight: spoil(&target, racer), &tally)
}

private func conclude(
  _ target: inout Target,
  beside other: inout Target?,
  _ name: StaticString,
  _ outcome: StaticString,
  isRight: Bool,
  _ tally: inout Tally
) {
  let othersWork = other?.works() ?? true
  let works = target.start() && target.works()
  tally.note(target, name, outcome, isRight: isRight, works: works, othersWork: othersWork)
}

private func attempt(_ hostile: HostileSetup, on target: Target) -> (outcome: StaticString, isRight: Bool) {
  let driver = target.driver
  hostile.attempt(
    on: driver,
    features: target.features,
    queue: target.queue,
    other: 0,
    unknown: target.unknownQueue,
    configurationSize: target.kind.configurationSize
  )
  if hostile.needsReset {
    return ("needs-reset", wait(milliseconds: 5000) { target.needsReset } && driver.read(Register.queueReady) == 0)
  }
  // What is to leave the device alone gets time to show.
  let isWell = !wait(milliseconds: 20) { target.needsReset } && driver.interruptStatus == 0
  let status = driver.status
  let (set, clear) = hostile.statusAfter
  driver.write(0, to: Register.queueSel)
  let isReady = driver.read(Register.queueReady) == 1
  let isRight = isWell && status & set == set && status & clear == 0 && isReady == hostile.isQueueReadyAfter
  return ("noted", isRight)
}
