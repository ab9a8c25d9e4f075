public import GuestMemory

/// Where everything goes that the guest finds in RAM when it starts. Pure arithmetic: no memory is touched.
///
/// Nothing overlaps, and all of it lies in RAM. The rules are those of Documentation/arch/arm64/booting.rst, which also
/// suit programs without an operating system.
public struct BootPlacement: Equatable, Sendable {
  /// An initramfs that is to be placed.
  public struct Initramfs: Equatable, Sendable {
    /// For messages.
    public let path: String
    /// In bytes.
    public let size: UInt64

    /// What has to be known of an open file to find its place; the file is not kept.
    public init(_ file: borrowing BootImageFile) {
      self.path = file.path
      self.size = file.size
    }
  }

  /// Where the first vCPU starts.
  public let entry: GuestAddress
  /// What the kernel or program takes, zeroed data included.
  public let segments: [GuestRange]
  /// Starts at a multiple of 4 KiB and lies with a kernel in the first 32 GiB from the 1 GiB boundary below it.
  public let initramfs: GuestRange?
  /// The start is what x0 holds. For a kernel, no 2 MiB block holds both of them.
  public let deviceTree: GuestRange

  /// The most that a device tree may take, in bytes.
  public static let deviceTreeLimit: UInt64 = 2 << 20

  /// Kernels before 4.2 want the device tree this near to their start.
  private static let deviceTreeReach: UInt64 = 512 << 20

  /// A kernel and its initramfs lie in one window of this size, which starts at a multiple of 1 GiB.
  private static let initramfsReach: UInt64 = 32 << 30

  /// What a kernel maps its device tree with.
  private static let block: UInt64 = 2 << 20

  private static let page: UInt64 = 4096

  /// - Parameters:
  ///   - image: what is started.
  ///   - initramfs: what is loaded beside it.
  ///   - deviceTreeSize: of the finished device tree, or a limit that it keeps; from 1 byte to ``deviceTreeLimit``.
  ///   - ram: starts at a multiple of 2 MiB.
  /// - Throws: ``BootImageError`` that names the file for which there is no room; with a headerless binary also where
  ///   the device tree is larger than what is before it.
  public init(
    _ image: BootImageDescription,
    initramfs: Initramfs?,
    deviceTreeSize: UInt64,
    in ram: GuestRange
  ) throws(BootImageError) {
    precondition((1...Self.deviceTreeLimit).contains(deviceTreeSize), "a device tree has 1 byte to 2 MiB")
    let segments = try image.segments(in: ram)
    let end = saturatingSum(ram.start.rawValue, ram.size)

    var free = FreeMemory(ram: ram, taken: segments)
    var alignment = Self.page
    if case .linux = image.kind {
      alignment = Self.block
      let start = segments[0].start.alignedDown(to: Self.block)
      let size = segments[0].start.rawValue - start.rawValue + segments[0].size
      free = FreeMemory(ram: ram, taken: [GuestRange(at: start.rawValue, size: roundedUp(size, to: Self.block))])
    }

    if case .raw = image.kind, deviceTreeSize > BootImageDescription.rawOffset {
      throw BootImageError(image.path, .deviceTreeBeforeBinaryTooLarge(size: deviceTreeSize))
    }
    let near = min(end, saturatingSum(ram.start.rawValue, Self.deviceTreeReach))
    guard
      let deviceTree = Self.deviceTreeAtStart(image, size: deviceTreeSize, ram: ram, free)
        ?? free.highest(deviceTreeSize, alignment: alignment, below: near)
        ?? free.highest(deviceTreeSize, alignment: alignment, below: end)
    else { throw BootImageError(image.path, .deviceTreeDoesNotFit(size: deviceTreeSize, ram: ram)) }

    self.entry = try image.entry(in: ram)
    self.segments = segments
    self.deviceTree = deviceTree
    guard let initramfs else {
      self.initramfs = nil
      return
    }
    let window = segments[0].start.alignedDown(to: 1 << 30).rawValue
    let limit = min(end, saturatingSum(window, Self.initramfsReach))
    free = FreeMemory(ram: ram, taken: segments + [deviceTree])
    guard let place = free.highest(initramfs.size, alignment: Self.page, below: limit) else {
      let largest = free.largest(alignment: Self.page, below: limit)
      throw BootImageError(
        initramfs.path,
        .initramfsDoesNotFit(size: initramfs.size, largest: largest, ram: ram)
      )
    }
    self.initramfs = place
  }

  /// A program finds its device tree at the start of RAM, as on QEMU's `virt` board: one without a header always, an
  /// executable where it leaves room there.
  private static func deviceTreeAtStart(
    _ image: BootImageDescription,
    size: UInt64,
    ram: GuestRange,
    _ free: FreeMemory
  ) -> GuestRange? {
    if case .linux = image.kind { return nil }
    guard size <= ram.size else { return nil }
    let range = GuestRange(at: ram.start.rawValue, size: size)
    return free.taken.contains { $0.overlaps(range) } ? nil : range
  }
}

/// The RAM that is left beside what is taken.
private struct FreeMemory {
  let ram: GuestRange
  let taken: [GuestRange]

  /// The highest place for `size` bytes that starts at a multiple of `alignment` and ends at `limit` or lower.
  func highest(_ size: UInt64, alignment: UInt64, below limit: UInt64) -> GuestRange? {
    var end = limit
    while end >= size {
      let start = GuestAddress(end - size).alignedDown(to: alignment)
      guard start >= ram.start else { return nil }
      let place = GuestRange(at: start.rawValue, size: size)
      guard let obstacle = taken.filter({ $0.overlaps(place) }).map(\.start).min() else { return place }
      end = obstacle.rawValue
    }
    return nil
  }

  /// The size of the largest place that starts at a multiple of `alignment` and ends at `limit` or lower.
  func largest(alignment: UInt64, below limit: UInt64) -> UInt64 {
    var largest: UInt64 = 0
    var start = ram.start.rawValue
    for range in taken.sorted(by: { $0.start < $1.start }) {
      largest = max(largest, room(from: start, to: min(limit, range.start.rawValue), alignment))
      start = max(start, saturatingSum(range.start.rawValue, range.size))
    }
    return max(largest, room(from: start, to: limit, alignment))
  }

  private func room(from start: UInt64, to end: UInt64, _ alignment: UInt64) -> UInt64 {
    let aligned = roundedUp(start, to: alignment)
    return end > aligned ? end - aligned : 0
  }
}

/// The next multiple of `alignment` (a power of two), or the last one where there is none.
private func roundedUp(_ value: UInt64, to alignment: UInt64) -> UInt64 {
  saturatingSum(value, alignment - 1) & ~(alignment - 1)
}
