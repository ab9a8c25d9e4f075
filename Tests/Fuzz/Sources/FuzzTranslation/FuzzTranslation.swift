internal import DebuggerTesting
internal import FuzzSupport

// The input is the registers, an address, and what the tables have: words that are read again and again.

private func fuzzTranslation(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseTranslation.run(input.bytes(count))
  return 0
}

@main
private enum FuzzTranslation {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzTranslation)
  }
}
