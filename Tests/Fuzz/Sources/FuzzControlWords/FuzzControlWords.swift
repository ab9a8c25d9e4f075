internal import ControlTesting
internal import FuzzSupport

// The input is words of `apus control`, and answers to print.

private func fuzzControlWords(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseControlWords.run(input.bytes(count))
  return 0
}

@main
private enum FuzzControlWords {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzControlWords)
  }
}
