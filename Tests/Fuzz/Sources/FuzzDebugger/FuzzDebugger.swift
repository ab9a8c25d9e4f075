internal import DebuggerTesting
internal import FuzzSupport

// The input is what a debugger sends. The first byte chooses whether it gets frames that hold, so that most inputs come
// as far as the commands: then each line is a packet.

private func fuzzDebugger(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  let bytes = input.bytes(count)
  guard let first = bytes.first else { return 0 }
  let rest = bytes.dropFirst()
  if first % 4 == 0 {
    ExerciseDebugger.run(rest)
  } else {
    ExerciseDebugger.run(rest.split(separator: UInt8(ascii: "\n")).flatMap { FakeDebugger.packet($0) })
  }
  return 0
}

@main
private enum FuzzDebugger {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzDebugger)
  }
}
