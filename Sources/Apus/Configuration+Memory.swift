import GuestABI

// The memory of a machine as a whole: RAM, windows, and what can be plugged.

/// A region of hot-plug memory that a device is to have.
struct HotplugMemoryWish {
  let name: String
  /// Bytes of the region.
  let size: UInt64
  /// How many bytes the guest is to have at its start.
  let initialSize: UInt64
  /// Bytes of a block.
  let blockSize: UInt64
}

extension Configuration {
  /// A memory slot of KVM has less than 2³¹ pages, which is 8 TiB of the smallest ones. In bytes.
  static let memorySizeLimit: UInt64 = 4 << 40

  /// How many regions of hot-plug memory there can be.
  static let hotplugRegionLimit = 8

  /// The regions of hot-plug memory, in the order of their devices.
  var hotplugMemory: [HotplugMemoryWish] { devices.compactMap { $0.kind.value.hotplugMemory } }

  /// Whether a text is a name as windows and regions have them.
  static func isPlainName(_ name: String) -> Bool {
    let isPlain = name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    return isPlain && (1...32).contains(name.utf8.count)
  }

  /// The mistakes in hot-plug memory that are not one region's own, and in the limit. Of plain values that are right.
  var memoryProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    var names: [String] = []
    for (index, device) in devices.enumerated() {
      guard let wish = device.kind.value.hotplugMemory else { continue }
      if names.contains(wish.name) {
        let reason: ConfigurationError.Reason =
          "the name '\(wish.name)' is another region's, too; give each one its own"
        problems.append(.init(.usage, .device(index, .whole), reason))
      }
      if dma.isWithoutWindows {
        let reason: ConfigurationError.Reason =
          """
          no device reaches hot-plug memory, and with \(at: .property(.dma), dma.name) a guest lets devices use all that \
          it has; leave one of both out
          """
        problems.append(.init(.usage, .device(index, .whole), reason))
      }
      if let iommu {
        let reason: ConfigurationError.Reason =
          """
          no device reaches hot-plug memory, and behind an IOMMU a guest lets devices use all that it has; leave this \
          out, or \(at: .device(iommu, .whole))
          """
        problems.append(.init(.usage, .device(index, .whole), reason))
      }
      names.append(wish.name)
    }
    if let memoryLimit {
      let start = hotplugMemory.reduce(memorySize + windowSizes.reduce(0, +)) { $0 &+ $1.initialSize }
      if memoryLimit < start {
        problems.append(
          .init(
            .usage,
            .property(.memoryLimit),
            """
            \(memoryLimit) bytes are less than the \(start) that the machine starts with: RAM, the devices' windows and \
            what is to be plugged
            """
          )
        )
      }
    }
    return problems
  }
}
