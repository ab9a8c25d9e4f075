internal import FuzzSupport
internal import GuestMemory
internal import VirtioDevices
internal import VirtioTesting

private let backend = MemoryBlocks()
private let device = MemoryDevice(
  name: "memory",
  backend: backend,
  region: GuestRange(at: 0x1_0000_0000, size: 128 << 20),
  blockSize: 2 << 20,
  requestedSize: 64 << 20
)
private let program = makeProgram()

private func makeProgram() -> DriverProgram { DriverProgram(device, ImmediateThread()) }

/// What the device says of its blocks and what its back-end has are the same, whatever a driver asks for.
private func fuzzMemory(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    switch event % 4 {
    case 0: backend.answer = .busy
    case 1: backend.answer = .later
    case 2: device.setRequestedSize(UInt64(event / 4) << 21)
    default:
      backend.answer = .done
      _ = device.backendReady()
    }
    precondition(device.pluggedSize == UInt64(backend.plugged.count) << 21, "what is plugged is known")
  }
  precondition(device.pluggedSize == UInt64(backend.plugged.count) << 21, "what is plugged is known")
  backend.forget()
  return 0
}

@main
private enum FuzzMemory {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzMemory)
  }
}
