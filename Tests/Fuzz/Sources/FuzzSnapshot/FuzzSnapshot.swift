internal import FuzzSupport
internal import SnapshotTesting

// The input is a snapshot's state or manifest, as somebody may have made it who means no good.

private func fuzzSnapshot(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseSnapshot.run(input.bytes(count))
  return 0
}

@main
private enum FuzzSnapshot {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzSnapshot)
  }
}
