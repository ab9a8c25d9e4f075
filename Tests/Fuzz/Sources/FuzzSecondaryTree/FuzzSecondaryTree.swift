internal import FuzzSupport
internal import SecondaryTreeTesting

private func fuzzTree(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var reader = unsafe ByteReader(start, count)
  ExerciseSecondaryTree.run(reader.bytes(count))
  return 0
}

@main
private enum FuzzSecondaryTree {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzTree)
  }
}
