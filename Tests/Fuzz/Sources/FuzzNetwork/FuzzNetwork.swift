internal import FuzzSupport
internal import VirtioDevices
internal import VirtioTesting

private let backend = MemoryNetwork(
  hasHeader: true,
  offloads: [.checksum, .tcpSegmentation4, .tcpSegmentation6, .tcpECN, .udpSegmentation]
)
private let device = NetworkDevice(name: "net", backend: backend, mac: [2, 0, 0, 0, 0, 1])
private let program = makeProgram()

private func makeProgram() -> DriverProgram {
  let thread = ImmediateThread()
  return DriverProgram(device, thread)
}

private func fuzzNetwork(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    switch event % 5 {
    case 0:
      backend.incoming.append(Array(repeating: event, count: 1 + 8 * Int(event)))
      _ = device.backendReadable()
    case 1: backend.room = Int(event >> 4)
    case 2:
      backend.room = 1 << 20
      _ = device.backendWritable()
    case 3: device.setLink(isUp: event & 0x80 != 0)
    default: device.announce()
    }
  }
  backend.forget()
  device.setLink(isUp: true)
  return 0
}

@main
private enum FuzzNetwork {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzNetwork)
  }
}
