internal import FuzzSupport
internal import MessagesTesting

// The input is what a device's process sends to a machine.

private func fuzzMessagesDevice(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseMessages.device(input.bytes(count))
  return 0
}

@main
private enum FuzzMessagesDevice {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzMessagesDevice)
  }
}
