internal import FuzzSupport
internal import MessagesTesting

// The input is what a machine sends to a device's process.

private func fuzzMessagesServer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseMessages.server(input.bytes(count))
  return 0
}

@main
private enum FuzzMessagesServer {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzMessagesServer)
  }
}
