internal import BootImage
internal import CHost
import DeviceTree
import GuestMemory
import Host

/// Puts the payload, the initramfs and the device tree into RAM.
struct BootLoader {
  /// What the first vCPU starts with.
  struct Start: Equatable {
    /// Where.
    let entry: GuestAddress
    /// In x0.
    let deviceTree: GuestAddress
  }

  /// How long the reader of a pipe is waited for that gets the device tree: the machine waits as well.
  private static let dumpLimit: Duration = .seconds(1)

  private let opened: OpenedConfiguration
  private let map: MemoryMap
  private let hasPerformanceMonitors: Bool
  private let overlays: [DeviceTreeOverlayFile]

  private var configuration: Configuration { opened.configuration }

  /// Reads the device tree's overlays, where there are any.
  init(
    _ opened: OpenedConfiguration,
    _ map: MemoryMap,
    hasPerformanceMonitors: Bool
  ) throws(DeviceTreeOverlayFileError) {
    self.opened = opened
    self.map = map
    self.hasPerformanceMonitors = hasPerformanceMonitors
    var overlays: [DeviceTreeOverlayFile] = []
    for (index, path) in opened.configuration.deviceTreeOverlays.enumerated() {
      overlays.append(try DeviceTreeOverlayFile(path: path, index: index))
    }
    self.overlays = overlays
  }

  /// Where everything goes, without touching memory.
  ///
  /// - Throws: ``BootImageError``, ``DeviceTreeError`` or ``DeviceTreeOverlayFileError``.
  func placement(_ image: BootImageDescription, _ initramfs: BootPlacement.Initramfs?) throws -> BootPlacement {
    var size = deviceTreeLimit
    // What overlays add is known when they are in, and a headerless binary leaves little room to be generous with.
    if !overlays.isEmpty || size > BootImageDescription.rawOffset {
      let anywhere = initramfs.map { _ in GuestRange(at: map.ram.start.rawValue, size: 1) }
      size = UInt64(try deviceTree(initramfs: anywhere).count)
    }
    return try BootPlacement(image, initramfs: initramfs, deviceTreeSize: size, in: map.ram)
  }

  /// Loads everything.
  ///
  /// - Throws: ``BootImageError``, ``DeviceTreeError``, ``DeviceTreeOverlayFileError``, ``GuestMemoryError`` or
  ///   ``OutputFileError``.
  func load(into ram: borrowing PrivateRAM) throws -> Start {
    let placement = try loadFiles(into: ram)
    let tree = try deviceTree(initramfs: placement.initramfs)
    precondition(tree.count <= placement.deviceTree.size, "a device tree keeps the limit that it was placed with")
    if let path = configuration.deviceTreeDump { try OutputFile(path: path).write(tree, within: Self.dumpLimit) }
    try ram.write(tree.span, at: placement.deviceTree.start)
    return Start(entry: placement.entry, deviceTree: placement.deviceTree.start)
  }

  /// Loads the payload and the initramfs.
  ///
  /// - Returns: where everything goes, the device tree too.
  func loadFiles(into ram: borrowing PrivateRAM) throws -> BootPlacement {
    let file = try BootImageFile(path: configuration.payload.path)
    let image = try file.inspect(raw: configuration.payload.isRaw)
    guard let path = configuration.initramfs else {
      let placement = try placement(image, nil)
      _ = try file.load(image, into: ram)
      return placement
    }
    let initramfs = try BootImageFile(path: path)
    let placement = try placement(image, .init(initramfs))
    _ = try file.load(image, into: ram)
    if let place = placement.initramfs { _ = try initramfs.load(into: ram, at: place.start) }
    return placement
  }

  /// The blob that the guest gets, with randomness of its own, and with the overlays.
  ///
  /// - Parameter isForPeople: whether it has labels in any case.
  /// - Throws: ``DeviceTreeError`` or ``DeviceTreeOverlayFileError``.
  func deviceTree(initramfs: GuestRange?, isForPeople: Bool = false) throws -> [UInt8] {
    guard !overlays.isEmpty else {
      let blob = try tree(initramfs: initramfs).blob(labels: isForPeople ? .written : .dropped)
      guard blob.count <= BootPlacement.deviceTreeLimit else { throw DeviceTreeTooLarge(size: blob.count) }
      return blob
    }
    var blob = try tree(initramfs: initramfs).blob(labels: .referable)
    for overlay in overlays { blob = try overlay.applied(to: blob, limit: BootPlacement.deviceTreeLimit) }
    return blob
  }

  /// What the device tree tells, without overlays.
  private func tree(initramfs: GuestRange?) -> MachineTree {
    MachineTree(
      map: map,
      cpuCount: configuration.cpuCount,
      hasPerformanceMonitors: hasPerformanceMonitors,
      name: configuration.name,
      uuid: opened.uuid,
      commandLine: configuration.kernelCommandLine,
      initramfs: initramfs,
      windowNames: configuration.windowNames,
      virtioDevices: configuration.virtioNodes,
      scmi: opened.scmiPlace.map { MachineTree.SCMI($0) },
      seed: HostRandom.bytes(count: MachineTree.seedSize)
    )
  }

  /// More than the tree takes: what never changes, the command line, and each vCPU's node.
  private var deviceTreeLimit: UInt64 {
    min(
      BootPlacement.deviceTreeLimit,
      16384 + UInt64(configuration.kernelCommandLine.utf8.count + 256 * configuration.cpuCount)
        + (opened.scmiPlace.map { MachineTree.SCMI($0).sizeLimit } ?? 0)
    )
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

extension Configuration.Payload {
  /// Whether the file has no header.
  var isRaw: Bool {
    switch self {
    case .kernel: false
    case .raw: true
    }
  }
}
