internal import ControlTesting
internal import FuzzSupport

// The input is what a machine answers to the typed client.

private func fuzzControlClient(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseControlClient.run(input.bytes(count))
  return 0
}

@main
private enum FuzzControlClient {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzControlClient)
  }
}
