import GuestMemory
import Host
import Virtio
package import VirtioDevices

/// A network back-end whose descriptor is in the event loop.
package protocol LoopNetworkBackend: NetworkBackend {
  /// Where what the descriptor has is told.
  var turns: NetworkTurns { get }

  /// The descriptor has something.
  func noteArrivals()

  /// Sends what was kept when there was no room.
  ///
  /// - Returns: whether there is room for more.
  func sendKept() -> Bool

  /// Lets go of the descriptor.
  func detach()

  /// Takes everything out of the loop.
  func shutDown()
}

extension LoopNetworkBackend {
  package func sendKept() -> Bool { true }
}

extension UnsafeMutableBufferPointer<DMASegment> {
  /// Copies a packet into the segments, one after the other, which have room for it.
  package func copyPacket(from bytes: UnsafeRawPointer, size: Int) {
    // SAFETY: the caller's bytes are as many as it says; no index is beyond the segments.
    var (next, left) = unsafe (bytes, size)
    for index in indices where left > 0 {
      let count = unsafe Swift.min(left, self[index].count)
      // SAFETY: the caller's bytes, and a segment's within its size.
      unsafe self[index].base.copyMemory(from: next, byteCount: count)
      unsafe next += count
      left -= count
    }
  }
}
