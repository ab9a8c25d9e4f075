internal import FuzzSupport
internal import GuestMemory
internal import VirtioDevices
internal import VirtioTesting

private let ram = makeRAM()
private let iommu = IOMMU(memory: ram.range, mappingLimit: 32)
private let spaces = (0..<UInt32(4)).map { ram.makeSpace(for: $0, of: iommu) }
private let program = makeProgram()

private func makeRAM() -> TestRAM {
  do {
    return try TestRAM(size: 0x10_0000)
  } catch {
    fatalError("the fuzzer has no memory: \(error)")
  }
}

private func makeProgram() -> DriverProgram {
  DriverProgram(IOMMUDevice(name: "iommu", iommu: iommu), ImmediateThread())
}

/// However a driver maps, no device reaches anything but RAM, and there is an end to mappings. What is refused
/// meanwhile is told, or lost and counted.
private func fuzzIOMMU(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count)) { event in
    let (space, page) = (spaces[Int(event % 4)], UInt64(event / 4) * 0x1000)
    let address = ram.range.start.rawValue - 0x1000 + page
    // SAFETY: the space is kept; the place is compared and not used.
    if unsafe space.view.pointer(to: address, count: 0x1000, for: .write) != nil {
      precondition(ram.range.contains(GuestAddress(address), count: 0x1000), "what is mapped is RAM")
    }
    precondition(iommu.mappings <= 32, "mappings are bounded")
  }
  precondition(iommu.mappings == 0, "a reset takes all mappings")
  return 0
}

@main
private enum FuzzIOMMU {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzIOMMU)
  }
}
