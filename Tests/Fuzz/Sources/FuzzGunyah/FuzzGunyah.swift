internal import FuzzSupport
internal import GunyahTesting

// The input is what machines do with their capabilities, queues, doorbells and vCPUs.

private func fuzzGunyah(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseObjects.run(input.bytes(count))
  return 0
}

@main
private enum FuzzGunyah {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzGunyah)
  }
}
