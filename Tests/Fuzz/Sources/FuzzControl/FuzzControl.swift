internal import ControlTesting
internal import FuzzSupport

// The input is what clients send to the control socket.

private func fuzzControl(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseControl.run(input.bytes(count))
  return 0
}

@main
private enum FuzzControl {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzControl)
  }
}
