/// How a back-end answers what a ``MemoryDevice`` asks of it.
public enum MemoryAnswer: Equatable, Sendable {
  /// It was done, all of it.
  case done
  /// Nothing was done, and cannot be at present: the host has no memory for it, or a limit is reached.
  case busy
  /// Nothing was done yet. The back-end prepares something that takes a while, and calls
  /// ``MemoryDevice/backendReady()`` then: the device asks again for whatever its queue has by that time.
  case later
}

/// What stands behind a ``MemoryDevice``: the memory of a region, in blocks. All on the device thread; nothing may
/// block.
///
/// Blocks are counted from the region's start, and lie inside it. The device asks for what the specification allows
/// only: blocks to be plugged are all unplugged, and those to be unplugged are all plugged.
public protocol MemoryBackend: AnyObject, SendableMetatype {
  /// Lets the guest have the blocks. What is in them is undefined.
  func plug(_ blocks: Range<Int>) -> MemoryAnswer

  /// Takes the blocks from the guest; what was in them goes.
  func unplug(_ blocks: Range<Int>) -> MemoryAnswer

  /// Takes all blocks from the guest that it has.
  func unplugAll() -> MemoryAnswer
}
