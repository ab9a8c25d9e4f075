internal import FuzzSupport
internal import VirtioDriver
internal import VirtioTesting

// The input is the guest's memory itself: descriptor table, rings and whatever they point at.

private let device = EchoDevice()
private let machine = makeMachine()

private func makeMachine() -> TestMachine {
  do {
    return try TestMachine(device, windowSize: 0x10000)
  } catch {
    fatalError("the fuzzer has no memory: \(error)")
  }
}

private func fuzzVirtqueue(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  let driver = machine.driver
  let features = Feature.version1 | Feature.accessPlatform
  let choice = input.byte()
  let size: UInt16 = 1 << UInt16(choice >> 2 & 3)
  let queue = DriverQueue(machine, index: 0, size: size, at: machine.windowStart)
  guard
    driver.negotiate(
      features | (choice & 1 != 0 ? Feature.indirectDescriptors : 0) | (choice & 2 != 0 ? Feature.eventIndex : 0)
    ), driver.enable(queue)
  else { fatalError("a good driver is accepted") }
  driver.start()
  var address = machine.windowStart
  let end = machine.windowStart + machine.windowSize
  while !input.isAtEnd, address + 64 <= end {
    // A run of bytes, then a kick with what stands there; a jump, so that large addresses are within reach.
    machine.store(input.bytes(64), at: address)
    address += 64
    driver.notify(0)
  }
  device.turn = 1 + Int(choice >> 4)
  driver.notify(0)
  device.turn = .max
  driver.reset()
  precondition(driver.status == 0 && driver.interruptStatus == 0, "a reset always ends")
  precondition(driver.negotiate(features), "the device works after a reset")
  return 0
}

@main
private enum FuzzVirtqueue {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzVirtqueue)
  }
}
