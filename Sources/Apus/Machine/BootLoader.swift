internal import BootImage
import GuestABI
import GuestMemory
import Host

/// Puts the payload, the initramfs and the device tree into RAM.
struct BootLoader {
  let files: BootFiles
  let tree: GuestDeviceTree

  /// How long the reader of a pipe is waited for that gets the device tree: the machine waits as well.
  private static let dumpLimit: Duration = .seconds(1)

  /// Where everything goes, without touching memory.
  ///
  /// - Throws: ``BootImageError``, ``DeviceTreeError`` or ``DeviceTreeOverlayFileError``.
  func placement() throws -> BootPlacement {
    let initramfs = files.initramfsSize
    let room = try tree.room(hasInitramfs: initramfs != nil)
    return try BootPlacement(files.image, initramfs: initramfs, deviceTreeSize: room, in: tree.board.map.ram)
  }

  /// Loads the payload and the initramfs.
  ///
  /// - Returns: where everything goes, the device tree too.
  func loadFiles(into ram: borrowing PrivateRAM) throws -> BootPlacement {
    let placement = try placement()
    _ = try files.payload.file.load(files.image, into: ram)
    if let place = placement.initramfs {
      _ = try files.initramfs?.file.load(into: ram, at: place.start)
    }
    return placement
  }

  /// Writes the device tree.
  ///
  /// - Parameters:
  ///   - devices: that are plugged in.
  ///   - dump: the path of a file that gets it, too.
  /// - Throws: ``DeviceTreeError``, ``DeviceTreeOverlayFileError``, ``GuestMemoryError`` or ``OutputFileError``.
  func writeTree(
    of devices: [Board.DevicePlace],
    _ placement: BootPlacement,
    dump: String?,
    into ram: borrowing PrivateRAM
  ) throws {
    let blob = try tree.blob(devices, initramfs: placement.initramfs)
    precondition(blob.count <= placement.deviceTree.size, "a device tree keeps the limit that it was placed with")
    if let dump { try OutputFile(path: dump).write(blob, within: Self.dumpLimit) }
    try ram.write(blob.span, at: placement.deviceTree.start)
  }
}

extension Configuration.Payload {
  /// Whether the file has no header.
  var isRaw: Bool {
    switch self {
    case .kernel: false
    case .raw: true
    }
  }
}
