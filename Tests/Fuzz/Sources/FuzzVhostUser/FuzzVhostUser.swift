internal import FuzzSupport
internal import VhostUserTesting

// The input is what a front-end sends to a back-end, and the memory that it shows.

private func fuzzVhostUser(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseVhostUser.run(input.bytes(count))
  return 0
}

@main
private enum FuzzVhostUser {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzVhostUser)
  }
}
