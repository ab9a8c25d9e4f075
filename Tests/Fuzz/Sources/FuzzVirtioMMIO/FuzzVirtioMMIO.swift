internal import FuzzSupport
internal import Virtio
internal import VirtioDriver
internal import VirtioTesting

// The input is a sequence of register accesses: what they are, where, how wide, and the value.

private let device = EchoDevice()
private let machine = makeMachine()

private func makeMachine() -> TestMachine {
  do {
    return try TestMachine(device, windowSize: 0x10000)
  } catch {
    fatalError("the fuzzer has no memory: \(error)")
  }
}

private func fuzzVirtioMMIO(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  while !input.isAtEnd {
    let kind = input.byte()
    let offset = (UInt64(input.byte()) | UInt64(kind >> 7) << 8) & 0x1FF
    let width = kind & 0x40 == 0 ? 4 : 1 << Int(kind & 3)
    let aligned = kind & 0x20 == 0 ? offset & ~3 : offset
    if kind & 0x10 == 0 {
      machine.writeRegister(aligned, width: width, value(kind, &input))
    } else {
      _ = machine.readRegister(aligned, width: width)
    }
    let status = machine.driver.status
    precondition(
      status & (Status.driverOK | Status.deviceNeedsReset) != Status.driverOK
        || device.startedWith?.isSuperset(of: [.version1, .accessPlatform]) == true,
      "a device runs with features that confine it"
    )
    precondition(status & Status.driverOK != 0 || device.startedWith == nil, "a device rests without DRIVER_OK")
  }
  machine.driver.reset()
  precondition(machine.driver.status == 0 && machine.driver.interruptStatus == 0, "a reset always ends")
  precondition(machine.driver.negotiate(Feature.version1 | Feature.accessPlatform), "the device works after a reset")
  return 0
}

/// Small numbers, the window's addresses, or anything.
private func value(_ kind: UInt8, _ input: inout ByteReader) -> UInt64 {
  switch kind & 0xC {
  case 0: UInt64(input.byte())
  case 4: machine.windowStart + UInt64(input.number(UInt16.self))
  default: UInt64(input.number(UInt32.self))
  }
}

@main
private enum FuzzVirtioMMIO {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzVirtioMMIO)
  }
}
