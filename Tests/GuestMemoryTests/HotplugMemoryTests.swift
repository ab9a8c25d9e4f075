import Glibc
import GuestMemory
import TestSupport
import Testing

@Suite struct HotplugMemoryTests {
  private let memory: HotplugMemory

  init() throws {
    memory = try HotplugMemory(name: "test", range: GuestRange(at: 0x1_0000_0000, size: 1 << 30))
  }

  private func fill(_ offset: Int, _ count: Int) {
    // SAFETY: the bytes lie in the mapping, which lives as long as the object.
    unsafe memset(memory.hostAddress + offset, 0xA5, count)
  }

  @Test func aRegionTakesNoMemoryUntilItIsTouched() throws {
    #expect(try memory.residentSize() == 0)

    fill(8 << 20, 4 << 20)

    #expect(try memory.residentSize() == 4 << 20)
  }

  @Test func whatIsGivenBackIsTheHostsAgainAndReadsAsZero() throws {
    fill(0, 8 << 20)

    try memory.giveBack(2 << 20, count: 4 << 20)

    #expect(try memory.residentSize() == 4 << 20)
    // SAFETY: as above.
    let bytes = [0, 2 << 20, (6 << 20) - 1, 6 << 20].map {
      unsafe memory.hostAddress.load(fromByteOffset: $0, as: UInt8.self)
    }
    #expect(bytes == [0xA5, 0, 0, 0xA5])
  }

  @Test func theMappingIsLeftOutOfDumpsAndTheFileIsClosedOnExecution() throws {
    // SAFETY: the address is compared and never used.
    let start = unsafe String(UInt(bitPattern: memory.hostAddress), radix: 16)
    let lines = HostFiles.text("/proc/self/smaps").split(separator: "\n")
    let mapping = lines.drop { !$0.hasPrefix("\(start)-") }
    let flags = mapping.first { $0.hasPrefix("VmFlags:") } ?? ""

    #expect(mapping.first?.contains("apus-memory-test") == true)
    #expect(flags.split(separator: " ").contains("dd"))
  }
}
