/// How a region of hot-plug memory stands.
public struct HotplugMemoryStatus: Equatable, Sendable, Encodable {
  /// The configuration's name.
  public let name: String
  /// The first address of the region.
  public let address: UInt64
  /// Bytes of the whole region.
  public let size: UInt64
  /// Bytes of a block.
  public let blockSize: UInt64
  /// How much the guest is to have, in bytes.
  public let requested: UInt64
  /// How much the guest has, in bytes.
  public let plugged: UInt64
  /// How much of the host's memory the region has, in bytes: what of it the guest has touched.
  public let resident: UInt64
}

/// Why a requested size of hot-plug memory was not set.
public enum HotplugMemoryError: Error, Equatable, Sendable {
  /// The machine has ended.
  case ended
  /// There is no region of this name.
  case unknown(name: String, known: [String])
  /// The size is no whole number of the region's blocks. In bytes.
  case notInBlocks(size: UInt64, blockSize: UInt64)
  /// The size is more than the region has. In bytes.
  case beyondRegion(size: UInt64, regionSize: UInt64)
}

extension HotplugMemoryError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .ended: "the machine has ended"
    case .unknown(let name, let known):
      known.isEmpty
        ? "there is no hot-plug memory '\(name.plain)': the machine was started without any"
        : "there is no hot-plug memory '\(name.plain)'; give \(known.joined(separator: ", "))"
    case .notInBlocks(let size, let blockSize):
      "\(size) bytes are no whole number of blocks; give a multiple of \(blockSize)"
    case .beyondRegion(let size, let regionSize):
      "\(size) bytes are more than the region has; give at most \(regionSize)"
    }
  }
}

extension Machine {
  /// Asks the guest to have so much of a region of hot-plug memory, and tells its driver at once. How far the guest
  /// goes along is its own matter: what it does not plug, or give back, stays as it is, and the wish stays.
  ///
  /// - Parameters:
  ///   - name: the region's.
  ///   - requested: in bytes; a multiple of the region's block size, and no more than the region has.
  /// - Returns: how the region stands then, before the guest has done anything. Before the machine's start it waits for
  ///   that.
  /// - Throws: ``HotplugMemoryError``; then nothing has changed.
  @discardableResult
  public func setHotplugMemory(
    _ name: String,
    requested: UInt64
  ) async throws(HotplugMemoryError) -> HotplugMemoryStatus {
    let answer: Result<HotplugMemoryStatus, HotplugMemoryError> = await withCheckedContinuation { continuation in
      askBoot { boot in
        guard let boot else { return continuation.resume(returning: .failure(.ended)) }
        continuation.resume(returning: boot.setHotplugMemory(name, requested: requested))
      }
    }
    return try answer.get()
  }

  /// How each region of hot-plug memory stands, in the order of the configuration.
  ///
  /// - Returns: nil where the machine has ended. Before its start, it waits for that.
  public func hotplugMemory() async -> [HotplugMemoryStatus]? {
    await withCheckedContinuation { continuation in
      askBoot { continuation.resume(returning: $0?.hotplugMemory) }
    }
  }
}
