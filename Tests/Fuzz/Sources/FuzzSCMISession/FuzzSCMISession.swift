internal import FuzzSupport
internal import SCMIFuzzing

private let definition = SCMIFuzzing.definition

private func fuzzSession(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var reader = unsafe ByteReader(start, count)
  SCMIFuzzing.session(reader.bytes(count), definition: definition)
  return 0
}

@main
private enum FuzzSCMISession {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzSession)
  }
}
