import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

@Suite struct ELFExecutableTests {
  @Test func loadPutsEachSegmentAtItsPhysicalAddress() throws {
    let ram = try makeRAM()
    let code = pattern(1000)
    let data = pattern(500, seed: 7)
    let bytes = elf(
      entry: 0xFFFF_0000_0000_0010,
      [
        SegmentToBuild(
          virtual: 0xFFFF_0000_0000_0000,
          physical: ramStart + 0x20_0000,
          bytes: code,
          memorySize: 1000
        ),
        SegmentToBuild(virtual: 0xFFFF_0000_0010_0000, physical: ramStart + 0x30_0000, bytes: data, memorySize: 4096),
      ]
    )

    let loaded = try load(bytes, into: ram)

    #expect(loaded.entry == GuestAddress(ramStart + 0x20_0010))
    #expect(
      loaded.segments == [
        GuestRange(at: ramStart + 0x20_0000, size: 1000), GuestRange(at: ramStart + 0x30_0000, size: 4096),
      ]
    )
    #expect(loaded.loadedSize == 1500)
    #expect(try ram.read(at: GuestAddress(ramStart + 0x20_0000), count: 1001) == code + [0])
    #expect(try ram.read(at: GuestAddress(ramStart + 0x30_0000), count: 501) == data + [0])
  }

  @Test func zeroedDataIsZeroAlsoWhereMemoryWasUsedBefore() throws {
    let ram = try makeRAM()
    let size = 3 * PrivateRAM.pageSize
    let dirty = [UInt8](repeating: 0xAA, count: Int(size) + 2)
    try ram.write(dirty.span, at: GuestAddress(ramStart + (2 << 20) - 1))

    _ = try load(simpleELF(bytes: [1, 2, 3], memorySize: size), into: ram)

    let after = try ram.read(at: GuestAddress(ramStart + (2 << 20) - 1), count: Int(size) + 2)
    let expected = [0xAA, 1, 2, 3] + [UInt8](repeating: 0, count: Int(size) - 3) + [0xAA]
    #expect(firstDifference(after, expected) == nil)
  }

  @Test func segmentsThatAreNotLoadedOrEmptyAreIgnored() throws {
    let address = ramStart + (2 << 20)
    let bytes = elf(
      entry: address,
      [
        SegmentToBuild(type: 4, virtual: 0, physical: 0, bytes: [1], memorySize: 1),
        SegmentToBuild(virtual: address, physical: address, bytes: [0, 0, 0, 0], memorySize: 4),
        SegmentToBuild(virtual: 0, physical: 0, bytes: [], memorySize: 0),
      ]
    )

    guard case .executable(let executable) = try inspect(bytes).kind else {
      return #expect(Bool(false), "an executable")
    }
    #expect(executable.segments.map(\.index) == [1])
  }

  @Test(
    arguments: [(40, .otherMachine(40)), (62, .otherMachine(62)), (3, .otherMachine(3))]
      as [(UInt16, BootImageError.ELFProblem)]
  )
  func anExecutableForAnotherMachineIsRefused(machine: UInt16, problem: BootImageError.ELFProblem) {
    #expect(inspectionFailure(elf(entry: 0, machine: machine, [])) == .elf(problem))
  }

  @Test func theMessageForAnotherMachineNamesIt() throws {
    let error = #expect(throws: BootImageError.self) { try inspect(elf(entry: 0, machine: 62, [])) }

    #expect(
      error?.description == "'image' is an ELF file for x86-64, and the guest is arm64; give one for AArch64"
    )
  }

  @Test func a32BitExecutableIsRefused() {
    #expect(inspectionFailure(elf(entry: 0, elfClass: 1, [])) == .elf(.not64Bit))
  }

  @Test func aBigEndianExecutableIsRefused() {
    #expect(inspectionFailure(elf(entry: 0, order: 2, [])) == .bigEndian)
  }

  @Test func anObjectFileIsRefused() {
    #expect(inspectionFailure(elf(entry: 0, type: 1, [])) == .elf(.notExecutable(type: 1)))
  }

  @Test func aProgramForAnOperatingSystemIsRefused() {
    let bytes = elf(
      entry: ramStart,
      [SegmentToBuild(type: 3, virtual: ramStart, physical: ramStart, bytes: [1], memorySize: 1)]
    )

    #expect(inspectionFailure(bytes) == .elf(.needsInterpreter))
  }

  @Test func anExecutableWithNothingToLoadIsRefused() {
    #expect(inspectionFailure(elf(entry: ramStart, [])) == .elf(.noSegments))
    #expect(
      inspectionFailure(elf(entry: 0, [SegmentToBuild(type: 4, virtual: 0, physical: 0, bytes: [], memorySize: 9)]))
        == .elf(.noSegments)
    )
  }

  @Test func moreProgramHeadersThanTheLimitAreRefused() {
    let segment = SegmentToBuild(virtual: 0, physical: 0, bytes: [], memorySize: 0)

    #expect(
      inspectionFailure(elf(entry: 0, [SegmentToBuild](repeating: segment, count: 129)))
        == .elf(.tooManySegments(129))
    )
  }

  @Test func overlappingSegmentsAreRefusedByTheirNumbers() {
    let bytes = elf(
      entry: ramStart,
      [
        SegmentToBuild(virtual: ramStart, physical: ramStart, bytes: [1], memorySize: 4097),
        SegmentToBuild(virtual: ramStart + 8192, physical: ramStart + 4096, bytes: [1], memorySize: 1),
      ]
    )

    #expect(inspectionFailure(bytes) == .elf(.overlappingSegments(0, 1)))
  }

  @Test func aSegmentLargerInTheFileThanInMemoryIsRefused() {
    #expect(inspectionFailure(simpleELF(memorySize: 99)) == .elf(.impossibleSegment(index: 0)))
  }

  @Test func aSegmentAroundTheEndOfTheAddressSpaceIsRefused() {
    let bytes = elf(entry: 0, [SegmentToBuild(virtual: 0, physical: .max, bytes: [1, 2], memorySize: 2)])

    #expect(inspectionFailure(bytes) == .elf(.impossibleSegment(index: 0)))
  }

  @Test func aFileShorterThanItsSegmentsIsRefused() {
    let whole = simpleELF()

    #expect(
      inspectionFailure([UInt8](whole.dropLast()))
        == .truncated(size: UInt64(whole.count - 1), expected: UInt64(whole.count))
    )
  }

  @Test func aFileShorterThanItsProgramHeadersIsRefused() {
    #expect(inspectionFailure([UInt8](simpleELF().prefix(119))) == .truncated(size: 119, expected: 120))
  }

  @Test(arguments: [ramStart + (2 << 20) - 4, ramStart + (2 << 20) + 4096, ramStart + (2 << 20) + 2])
  func anEntryThatIsNoInstructionOfASegmentIsRefused(entry: UInt64) {
    var bytes = simpleELF()
    bytes.put(entry, at: 24)

    #expect(inspectionFailure(bytes) == .elf(.entryOutsideSegments(entry)))
  }

  @Test func aSegmentOutsideRAMIsRefusedByItsNumber() throws {
    let address: UInt64 = 0x8000
    let bytes = elf(
      entry: address,
      [SegmentToBuild(virtual: address, physical: address, bytes: [0, 0, 0, 0], memorySize: 4)]
    )

    let ram = GuestRange(at: ramStart, size: 8 << 20)
    let segment = GuestRange(at: address, size: 4)
    #expect(try loadFailure(bytes) == .elf(.segmentOutsideRAM(index: 0, segment, ram: ram)))
  }
}
