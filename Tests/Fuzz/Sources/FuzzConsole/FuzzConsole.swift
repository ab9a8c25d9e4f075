internal import FuzzSupport
internal import VirtioDevices
internal import VirtioTesting

private let ports = [MemoryPort(), MemoryPort()]
private let device = ConsoleDevice(
  name: "console",
  ports: [(ConsolePortDescription(isConsole: true), ports[0]), (ConsolePortDescription(name: "harness"), ports[1])]
)
private let program = makeProgram()

private func makeProgram() -> DriverProgram {
  let thread = ImmediateThread()
  return DriverProgram(device, thread)
}

private func fuzzConsole(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    let port = Int(event & 1)
    switch event >> 1 % 4 {
    case 0:
      ports[port].input = Array(repeating: event, count: Int(event))
      _ = device.portReadable(port)
    case 1: ports[port].room = Int(event >> 3)
    case 2:
      ports[port].room = 1 << 20
      _ = device.portWritable(port)
    default: device.portChanged(port, isConnected: event & 8 != 0)
    }
  }
  for port in ports { port.forget() }
  return 0
}

@main
private enum FuzzConsole {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzConsole)
  }
}
