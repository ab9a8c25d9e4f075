internal import CPUModelTesting
internal import FuzzSupport

// The input is the file of a processor's model, or the registers of a snapshot.

private func fuzzCPUModel(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  ExerciseCPUModel.run(input.bytes(count))
  return 0
}

@main
private enum FuzzCPUModel {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzCPUModel)
  }
}
