internal import FuzzSupport
internal import QEMUTesting

// The input is a command line in QEMU's words, or what a client of its machine protocol sends.

private func fuzzQEMUSyntax(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseQEMUSyntax.run(input.bytes(count))
  return 0
}

@main
private enum FuzzQEMUSyntax {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzQEMUSyntax)
  }
}
