internal import FuzzSupport
internal import VhostUserTesting

// The input is what a back-end answers and asks, and what it writes into the memory that it is lent.

private func fuzzVhostUserDevice(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseVhostUserDevice.run(input.bytes(count))
  return 0
}

@main
private enum FuzzVhostUserDevice {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzVhostUserDevice)
  }
}
