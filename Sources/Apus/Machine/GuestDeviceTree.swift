internal import BootImage
import DeviceTree
import GuestABI
import GuestMemory
import Host

/// The device tree that a guest gets: the machine's, with the overlays.
struct GuestDeviceTree {
  let board: Board
  let name: String
  let identity: Configuration.UUID
  let hasPerformanceMonitors: Bool
  let overlays: [DeviceTreeOverlayFile]
  /// What the guest finds of Gunyah, where that is its hypervisor.
  var gunyah: MachineTree.Gunyah?

  /// The blob, with randomness of its own.
  ///
  /// - Parameters:
  ///   - devices: the virtio devices that are there.
  ///   - initramfs: where it was put.
  ///   - isForPeople: whether it has labels in any case.
  /// - Throws: ``DeviceTreeError``, ``DeviceTreeTooLarge`` or ``DeviceTreeOverlayFileError``.
  func blob(_ devices: [Board.DevicePlace], initramfs: GuestRange?, isForPeople: Bool = false) throws -> [UInt8] {
    let tree = MachineTree(
      board: board,
      hasPerformanceMonitors: hasPerformanceMonitors,
      name: name,
      uuid: identity.description,
      initramfs: initramfs,
      virtioDevices: devices,
      gunyah: board.isGunyah ? gunyah ?? .example : nil,
      seed: HostRandom.bytes(count: MachineTree.seedSize)
    )
    guard !overlays.isEmpty else {
      let blob = try tree.blob(labels: isForPeople ? .written : .dropped)
      guard blob.count <= BootPlacement.deviceTreeLimit else { throw DeviceTreeTooLarge(size: blob.count) }
      return blob
    }
    var blob = try tree.blob(labels: .referable)
    for overlay in overlays { blob = try overlay.applied(to: blob, limit: BootPlacement.deviceTreeLimit) }
    return blob
  }

  /// Room that is enough for the blob. What overlays add is known when they are in, and a headerless binary leaves
  /// little room to be generous with; otherwise it is more than the tree takes: what never changes, the command line,
  /// and each vCPU's node.
  ///
  /// - Throws: as ``blob(_:initramfs:isForPeople:)``.
  func room(hasInitramfs: Bool) throws -> UInt64 {
    let limit = min(
      BootPlacement.deviceTreeLimit,
      16384 + UInt64(board.commandLine.utf8.count + 256 * board.cpuCount) + (board.platform?.sizeLimit ?? 0)
    )
    guard !overlays.isEmpty || limit > BootImageDescription.rawOffset else { return limit }
    let anywhere = hasInitramfs ? GuestRange(at: board.map.ram.start.rawValue, size: 1) : nil
    return UInt64(try blob(board.devices, initramfs: anywhere).count)
  }
}

/// A tree that no kernel would take.
struct DeviceTreeTooLarge: Error, CustomStringConvertible {
  let size: Int

  var description: String {
    "the device tree has \(size) bytes, and a kernel takes at most \(BootPlacement.deviceTreeLimit); give a smaller SCMI "
      + "platform, fewer vCPUs or a shorter command line"
  }
}
