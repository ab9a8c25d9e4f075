internal import BootImageTesting
internal import FuzzSupport
internal import GuestMemory

// The input is a boot image's file: a kernel, plain or compressed, an executable, or nothing of the kind. It is taken
// for a headerless binary, too.

private let ram = makeFuzzRAM()

private func makeFuzzRAM() -> PrivateRAM {
  do {
    return try makeRAM()
  } catch {
    fatalError("the fuzzer has no memory: \(error)")
  }
}

private func fuzzBootImage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  exerciseBootImage(input.bytes(count).span, in: ram)
  return 0
}

@main
private enum FuzzBootImage {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzBootImage)
  }
}
