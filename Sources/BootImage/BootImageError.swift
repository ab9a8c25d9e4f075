internal import Glibc
public import GuestMemory
import Host

/// Why a file cannot be booted. The description names the file, what is wrong with it and what would be right.
public struct BootImageError: Error, Equatable, Sendable {
  /// Of the file, as it was given.
  public let path: String
  /// What is wrong; its description goes on after the file's name.
  public let reason: Reason

  init(_ path: String, _ reason: Reason) {
    self.path = path
    self.reason = reason
  }

  /// What is wrong with a file. Sizes and offsets are in bytes.
  public enum Reason: Error, Equatable, Sendable {
    // The file.
    case missing
    /// The host did not open it; with open(2)'s error number.
    case cannotOpen(errno: Int32)
    /// It is of another kind: only a regular file has a size and is read at any place.
    case notARegularFile(FileKind)
    case empty
    /// The host failed to read it; with the error number and where in the file.
    case readFailed(errno: Int32, offset: UInt64)
    /// The file became shorter while it was read.
    case shrank(size: UInt64)

    // What is in it.
    /// Its header announces more than the file has.
    case truncated(size: UInt64, expected: UInt64)
    /// It is of a format that the guest cannot be started from; `inside` is what it was packed in.
    case foreign(ForeignFormat, inside: Compression?)
    /// It is of no format that is known; with its first bytes, and what it was packed in.
    case unrecognized(startsWith: [UInt8], inside: Compression?)
    case bigEndian
    /// Its header contradicts itself; with what does, in words.
    case damagedHeader(String)
    /// It is an ELF file, and none that can be started.
    case elf(ELFProblem)

    // Compression.
    /// An EFI zboot kernel that is packed in another way than those that are known, by the name in its header.
    case unsupportedCompression(String)
    /// The stream ends in its middle; so many bytes came out of it.
    case cutShort(Compression, after: UInt64)
    /// The stream cannot be decompressed; with the library's words.
    case damaged(Compression, detail: String)
    /// More comes out than `limit` bytes, which is what the image announces.
    case expandsBeyond(Compression, limit: UInt64)
    /// The host has no memory for the decompressor.
    case outOfMemory(Compression)

    // Where it goes.
    /// The image wants `size` bytes at `offset` from the start of RAM.
    case doesNotFit(size: UInt64, offset: UInt64, ram: GuestRange)
    /// `largest` is the largest that would fit, in bytes.
    case initramfsDoesNotFit(size: UInt64, largest: UInt64, ram: GuestRange)
    /// Kernel and initramfs leave no place for a device tree of so many bytes.
    case deviceTreeDoesNotFit(size: UInt64, ram: GuestRange)
    /// The device tree of a headerless binary goes before it.
    case deviceTreeBeforeBinaryTooLarge(size: UInt64)
  }

  /// Why an ELF file cannot be started. Segments are counted in the program header table, from 0.
  public enum ELFProblem: Equatable, Sendable {
    /// For another processor: `e_machine`.
    case otherMachine(UInt16)
    case not64Bit
    /// Neither an executable nor a shared object: `e_type`.
    case notExecutable(type: UInt16)
    case needsInterpreter
    case noSegments
    /// More program headers than ``ELFExecutable/segmentLimit``.
    case tooManySegments(Int)
    /// A segment has more bytes in the file than in memory, or an end beyond 2⁶⁴.
    case impossibleSegment(index: Int)
    /// Two segments want the same addresses.
    case overlappingSegments(Int, Int)
    /// The program's entry lies in none of its segments, or not where an instruction may start; with its address.
    case entryOutsideSegments(UInt64)
    /// A segment wants addresses that the guest's RAM does not have.
    case segmentOutsideRAM(index: Int, GuestRange, ram: GuestRange)
  }

  /// What a caller decides by, an exit status for example.
  public enum Category: Sendable {
    /// There is no such file, or it is not to be had.
    case inputNotFound
    /// The file is there and is not what it should be.
    case inputUnusable
    /// The guest has too little memory for it.
    case doesNotFit
    /// The file may be good: the host could not read it or had no memory for it.
    case hostFailed
  }

  /// Whose fault it is, by ``reason``.
  public var category: Category {
    switch reason {
    case .cannotOpen(let errno): ErrorNumber.isHostFailure(errno) ? .hostFailed : .inputNotFound
    case .missing, .notARegularFile: .inputNotFound
    case .readFailed, .outOfMemory: .hostFailed
    case .doesNotFit, .initramfsDoesNotFit, .deviceTreeDoesNotFit, .deviceTreeBeforeBinaryTooLarge: .doesNotFit
    default: .inputUnusable
    }
  }
}

extension BootImageError: CustomStringConvertible {
  public var description: String { "'\(path)' \(reason)" }
}

extension BootImageError.Reason: CustomStringConvertible {
  private static let wanted =
    "give an arm64 Linux Image (also as Image.gz or EFI zboot), an AArch64 ELF executable, or say that it is a raw binary"

  /// What follows the name of the file.
  public var description: String {
    switch self {
    case .missing: "does not exist; check the path"
    case .cannotOpen(EACCES): "cannot be read: permission denied; \(ErrorNumber.adviceForInput(EACCES))"
    case .cannotOpen(let errno): "cannot be opened: \(errorText(errno)); \(ErrorNumber.adviceForInput(errno))"
    case .notARegularFile(let kind): "is a \(kind.rawValue); give a regular file"
    case .empty: "is empty; build or copy it again"
    case .readFailed(let errno, let offset):
      "cannot be read at byte \(offset): \(errorText(errno)); \(ErrorNumber.adviceForInput(errno))"
    case .shrank(let size): "became shorter while it was read (now \(size) bytes); do not change it meanwhile"
    case .truncated(let size, let expected):
      "is truncated: it has \(size) bytes and should have at least \(expected); copy it again"
    case .foreign(let format, nil): "is \(format.advice)"
    case .foreign(let format, let outer?): "is compressed with \(outer.rawValue), and inside is \(format.advice)"
    case .unrecognized(let start, nil): "is no kernel: it starts with \(quoted(start)); \(Self.wanted)"
    case .unrecognized(let start, let outer?):
      "is compressed with \(outer.rawValue), and inside is no arm64 Linux Image: it starts with \(quoted(start)); "
        + "give an Image, Image.gz or EFI zboot kernel"
    case .bigEndian: "is big-endian, which the guest is not started as; give a little-endian image"
    case .damagedHeader(let detail): "has a damaged header: \(detail); build or copy it again"
    case .elf(let problem): problem.description
    case .unsupportedCompression(let name):
      "is an EFI zboot kernel compressed with '\(name)'; gzip and zstd are supported: take the Image out or rebuild it "
        + "with CONFIG_KERNEL_GZIP or CONFIG_KERNEL_ZSTD"
    case .cutShort(let compression, let size):
      "is truncated: its \(compression.rawValue) stream ends in the middle, after \(size) decompressed bytes; "
        + "copy it again"
    case .damaged(let compression, let detail):
      "is damaged: its \(compression.rawValue) stream cannot be decompressed (\(detail)); copy it again"
    case .expandsBeyond(let compression, let limit):
      "is damaged: its \(compression.rawValue) stream expands to more than the \(limit) bytes that the image "
        + "announces; build or copy it again"
    case .outOfMemory(let compression): "cannot be decompressed: the host has no memory for \(compression.rawValue)"
    case .doesNotFit(let size, let offset, let ram):
      "does not fit: it needs \(sizeText(size)) from \(sizeText(offset)) into RAM, and RAM has \(sizeText(ram.size)); "
        + "give the guest more memory"
    case .initramfsDoesNotFit(let size, let largest, let ram):
      "does not fit: the initramfs needs \(sizeText(size)) in one piece, and beside the kernel RAM of "
        + "\(sizeText(ram.size)) has \(sizeText(largest)) within the kernel's reach; give the guest more memory"
    case .deviceTreeDoesNotFit(let size, let ram):
      "leaves no room in RAM of \(sizeText(ram.size)) for a device tree of \(sizeText(size)); "
        + "give the guest more memory"
    case .deviceTreeBeforeBinaryTooLarge(let size):
      "has \(sizeText(BootImageDescription.rawOffset)) before it in RAM for its device tree, which needs "
        + "\(sizeText(size)); give fewer vCPUs, a smaller platform or smaller overlays, or link it as an ELF executable"
    }
  }
}

extension BootImageError.ELFProblem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .otherMachine(let machine):
      "is an ELF file for \(machineName(machine)), and the guest is arm64; give one for AArch64"
    case .not64Bit: "is a 32-bit ELF file, and the guest is 64-bit; give an ELF64 executable"
    case .notExecutable(let type): "is an ELF file of type \(type), which is no executable; link it first"
    case .needsInterpreter:
      "is a program for an operating system (it asks for an interpreter); link it statically for bare metal"
    case .noSegments: "is an ELF file with nothing to load; link it with program headers"
    case .tooManySegments(let count):
      "is an ELF file with \(count) program headers; at most \(ELFExecutable.segmentLimit) are supported"
    case .impossibleSegment(let index): "has a damaged header: ELF segment \(index) has impossible sizes; link it again"
    case .overlappingSegments(let first, let second):
      "cannot be loaded: its ELF segments \(first) and \(second) overlap in memory; mend its linker script"
    case .entryOutsideSegments(let entry):
      "cannot be started: its entry \(GuestAddress(entry)) is no instruction of a loaded segment; mend its linker script"
    case .segmentOutsideRAM(let index, let range, let ram):
      "cannot be loaded: its ELF segment \(index) goes to \(range), outside RAM \(ram); "
        + "link it for that range or give the guest more memory (of a Linux build, give the Image, not vmlinux)"
    }
  }
}

/// The name of an ELF machine that a kernel may be for (e_machine).
private func machineName(_ machine: UInt16) -> String {
  switch machine {
  case 3: "32-bit x86"
  case 8: "MIPS"
  case 20, 21: "PowerPC"
  case 22: "S/390"
  case 40: "32-bit Arm"
  case 62: "x86-64"
  case 243: "RISC-V"
  case 258: "LoongArch"
  default: "machine \(machine)"
  }
}

/// The bytes in hexadecimal, and as text.
private func quoted(_ bytes: [UInt8]) -> String {
  let hexadecimal = bytes.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }
  return "the bytes \(hexadecimal.joined(separator: " ")) (\"\(printable(bytes))\")"
}

/// A size in its largest unit with one decimal, exact where it is a whole number of them.
func sizeText(_ bytes: UInt64) -> String {
  for (unit, name) in [(UInt64(1) << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] where bytes >= unit {
    let tenths = bytes % unit / (unit / 10)
    return bytes % unit == 0 ? "\(bytes / unit) \(name)" : "\(bytes / unit).\(min(tenths, 9)) \(name)"
  }
  return "\(bytes) bytes"
}
