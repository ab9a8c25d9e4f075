public import GuestMemory

/// The loadable part of an ELF64 executable for AArch64 (Tool Interface Standard ELF 1.2; ELF for the Arm 64-bit
/// Architecture).
///
/// Segments go to their physical addresses; sections and symbols are not looked at.
public struct ELFExecutable: Equatable, Sendable {
  /// A PT_LOAD entry of the program header table that is not empty.
  public struct Segment: Equatable, Sendable {
    /// In the program header table, from 0.
    public let index: Int
    /// The physical addresses that the segment takes, zeroed data included.
    public let range: GuestRange
    /// Where its bytes stand in the file.
    public let fileOffset: UInt64
    /// How many of ``range`` come from the file; the rest is zero.
    public let fileSize: UInt64
  }

  /// Where the program starts, as a physical address.
  public let entry: GuestAddress
  /// At least one; none is empty and no two overlap. In the order of the program headers.
  public let segments: [Segment]

  /// More program headers than any linker makes for a program that runs without an operating system.
  public static let segmentLimit = 128
}

extension ELFExecutable {
  static let headerSize = 64
  static let programHeaderSize = 56

  static func isRecognized(_ head: ImageBytes) -> Bool {
    head.has([0x7F, 0x45, 0x4C, 0x46])
  }

  private enum Field {
    static let executable: UInt16 = 2
    static let sharedObject: UInt16 = 3
    static let aarch64: UInt16 = 183
    static let load: UInt32 = 1
    static let interpreter: UInt32 = 3
  }

  /// Where the program headers stand in the file, and how many there are.
  ///
  /// - Parameters:
  ///   - head: the first bytes of a file that ``isRecognized(_:)``.
  ///   - fileSize: in bytes.
  static func programHeaders(
    _ head: ImageBytes,
    fileSize: UInt64
  ) throws(BootImageError.Reason) -> (offset: UInt64, count: Int) {
    guard let identity = head.field(UInt64.self, at: 0), let rawMachine = head.field(UInt16.self, at: 18) else {
      throw .truncated(size: fileSize, expected: UInt64(headerSize))
    }
    let elfClass = UInt8(truncatingIfNeeded: identity >> 32)
    let isBigEndian = UInt8(truncatingIfNeeded: identity >> 40) == 2
    let machine = isBigEndian ? rawMachine.byteSwapped : rawMachine
    guard machine == Field.aarch64 else { throw .elf(.otherMachine(machine)) }
    guard !isBigEndian else { throw .bigEndian }
    guard elfClass == 2 else { throw .elf(.not64Bit) }

    guard let type = head.field(UInt16.self, at: 16), let offset = head.field(UInt64.self, at: 32),
      let entrySize = head.field(UInt16.self, at: 54), let count = head.field(UInt16.self, at: 56)
    else { throw .truncated(size: fileSize, expected: UInt64(headerSize)) }
    guard type == Field.executable || type == Field.sharedObject else { throw .elf(.notExecutable(type: type)) }
    guard count > 0, entrySize == programHeaderSize else { throw .elf(.noSegments) }
    guard count <= segmentLimit else { throw .elf(.tooManySegments(Int(count))) }
    let size = UInt64(count) * UInt64(programHeaderSize)
    guard offset <= fileSize, size <= fileSize - offset else {
      throw .truncated(size: fileSize, expected: saturatingSum(offset, size))
    }
    return (offset, Int(count))
  }

  /// - Parameters:
  ///   - head: the first bytes of the file, checked by ``programHeaders(_:fileSize:)``.
  ///   - table: the program header table, whole.
  init(_ head: ImageBytes, table: ImageBytes, fileSize: UInt64) throws(BootImageError.Reason) {
    guard let virtualEntry = head.field(UInt64.self, at: 24) else {
      throw .truncated(size: fileSize, expected: UInt64(Self.headerSize))
    }
    var segments: [Segment] = []
    var entry: GuestAddress?
    for index in 0..<table.count / Self.programHeaderSize {
      let base = index * Self.programHeaderSize
      guard let type = table.field(UInt32.self, at: base), let fileOffset = table.field(UInt64.self, at: base + 8),
        let virtual = table.field(UInt64.self, at: base + 16), let physical = table.field(UInt64.self, at: base + 24),
        let inFile = table.field(UInt64.self, at: base + 32), let inMemory = table.field(UInt64.self, at: base + 40)
      else { break }
      if type == Field.interpreter { throw .elf(.needsInterpreter) }
      guard type == Field.load, inMemory > 0 else { continue }

      guard inFile <= inMemory, let range = GuestRange(start: GuestAddress(physical), size: inMemory) else {
        throw .elf(.impossibleSegment(index: index))
      }
      guard fileOffset <= fileSize, inFile <= fileSize - fileOffset else {
        throw .truncated(size: fileSize, expected: saturatingSum(fileOffset, inFile))
      }
      if let other = segments.first(where: { $0.range.overlaps(range) }) {
        throw .elf(.overlappingSegments(other.index, index))
      }
      if virtualEntry >= virtual, virtualEntry - virtual < inMemory, entry == nil {
        entry = GuestAddress(physical + (virtualEntry - virtual))
      }
      segments.append(Segment(index: index, range: range, fileOffset: fileOffset, fileSize: inFile))
    }
    guard !segments.isEmpty else { throw .elf(.noSegments) }
    guard let entry, entry.rawValue % 4 == 0 else { throw .elf(.entryOutsideSegments(virtualEntry)) }
    self.entry = entry
    self.segments = segments
  }
}
