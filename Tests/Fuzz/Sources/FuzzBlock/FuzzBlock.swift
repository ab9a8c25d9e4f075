internal import FuzzSupport
internal import VirtioDevices
internal import VirtioTesting

private let backend = MemoryBlock(sectors: 64)
private let device = BlockDevice(name: "disk", backend: backend, queueCount: 2, queueSize: 16)
private let program = makeProgram()

private func makeProgram() -> DriverProgram {
  let thread = ImmediateThread()
  // Only what was not finished at once is finished later.
  thread.whileWaiting = {
    guard backend.inFlight > 0 else { return }
    backend.finishAll()
    _ = device.backendReady()
  }
  return DriverProgram(device, thread)
}

private func fuzzBlock(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    switch event % 4 {
    case 0: backend.isDeferred.toggle()
    case 1: backend.fails.toggle()
    case 2: device.capacityChanged()
    default:
      backend.finishAll()
      _ = device.backendReady()
    }
  }
  backend.isDeferred = false
  backend.fails = false
  backend.forgetCalls()
  return 0
}

@main
private enum FuzzBlock {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzBlock)
  }
}
