internal import FuzzSupport
internal import VirtioDevices
internal import VirtioTesting

private let source = CountingEntropy()
private let device = EntropyDevice(name: "rng", source: source)
private let program = makeProgram()

private func makeProgram() -> DriverProgram {
  let thread = ImmediateThread()
  return DriverProgram(device, thread)
}

private func fuzzEntropy(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    source.available = event & 1 != 0 ? Int(event) : .max
  }
  source.available = .max
  return 0
}

@main
private enum FuzzEntropy {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzEntropy)
  }
}
