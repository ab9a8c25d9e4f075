public import GuestMemory

/// What an image is and where it wants to be, as far as its headers tell.
public struct BootImageDescription: Equatable, Sendable {
  /// What is started.
  public enum Kind: Equatable, Sendable {
    /// An arm64 Linux `Image`, or a program with the same header.
    case linux(LinuxImage)
    /// An ELF64 executable.
    case executable(ELFExecutable)
    /// A headerless binary of so many bytes.
    case raw(size: UInt64)
  }

  /// How it stands in the file.
  public enum Packaging: Equatable, Sendable {
    /// Nothing is packed.
    case plain
    /// Compressed as a whole (`Image.gz`).
    case gzip
    /// The payload of a self-extracting EFI kernel.
    case efiZboot(Compression)
  }

  /// Of the file, for messages.
  public let path: String
  /// What is loaded, and by which header it was told.
  public let kind: Kind
  /// What has to be undone before the payload can be loaded.
  public let packaging: Packaging

  let payload: CompressedPayload?

  /// Where a headerless binary goes, in bytes from the start of RAM: where the QEMU `virt` board puts one.
  public static let rawOffset: UInt64 = 512 << 10

  /// The places that the image takes in RAM, zeroed data included, in the order of its segments.
  ///
  /// - Parameter ram: starts at a multiple of 2 MiB.
  /// - Throws: ``BootImageError`` where a part of the image would lie outside `ram`.
  public func segments(in ram: GuestRange) throws(BootImageError) -> [GuestRange] {
    switch kind {
    case .linux(let image):
      [try segment(at: image.textOffset, size: image.memorySize, in: ram)]
    case .raw(let size):
      [try segment(at: Self.rawOffset, size: size, in: ram)]
    case .executable(let executable):
      try executable.segments.map { segment throws(BootImageError) in
        guard ram.contains(segment.range) else {
          throw BootImageError(path, .elf(.segmentOutsideRAM(index: segment.index, segment.range, ram: ram)))
        }
        return segment.range
      }
    }
  }

  /// Where the first vCPU starts.
  ///
  /// - Throws: as ``segments(in:)``.
  public func entry(in ram: GuestRange) throws(BootImageError) -> GuestAddress {
    switch kind {
    case .linux, .raw: try segments(in: ram)[0].start
    case .executable(let executable): executable.entry
    }
  }

  private func segment(at offset: UInt64, size: UInt64, in ram: GuestRange) throws(BootImageError) -> GuestRange {
    precondition(ram.start.rawValue % (2 << 20) == 0, "RAM starts at a 2 MiB boundary")
    guard offset < ram.size, size <= ram.size - offset, let start = ram.start.advanced(by: offset),
      let range = GuestRange(start: start, size: size)
    else { throw BootImageError(path, .doesNotFit(size: size, offset: offset, ram: ram)) }
    return range
  }
}
