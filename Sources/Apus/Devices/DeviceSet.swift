internal import CHost
import GuestABI
import GuestMemory
import Host
import KVM
internal import Logging
import VhostUser
import Virtio
import VirtioDevices
import VirtioMMIO

/// The virtio devices of one boot, with the windows that they are confined to.
final class DeviceSet: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone; others only hand it on.

  /// What stands behind each device, in the order of the configuration.
  let resources: [DeviceResource]
  private let windows: [WindowOwner]
  /// RAM, for the devices behind the IOMMU; and the IOMMU, where there is one.
  private let translated: (ram: WindowOwner, iommu: IOMMU)?
  private let budget: MemoryBudget
  /// Whether devices of this process see copies of requests.
  private let isShadowed: Bool
  private(set) var devices: [VirtioMMIODevice] = []
  /// Of each device, what stands between it and its guest where it sees copies of requests.
  private(set) var shadows: [ShadowedDevice?] = []
  /// Where those stand that are plugged in.
  private(set) var places: [Board.DevicePlace] = []

  /// A window on the heap, so that there can be several.
  private final class WindowOwner {
    let window: DMAWindow

    init(_ window: consuming DMAWindow) {
      self.window = window
    }
  }

  /// Makes the windows and shows them to KVM.
  ///
  /// - Parameters:
  ///   - resources: what stands behind each device of the board.
  ///   - memoryLimit: the most bytes that the machine may take in all, or nil.
  init(
    _ board: Board,
    _ resources: [DeviceResource],
    ram: borrowing PrivateRAM,
    dma: Configuration.DMA,
    memoryLimit: UInt64?,
    _ machine: borrowing VirtualMachine
  ) throws {
    self.resources = resources
    budget = MemoryBudget(limit: memoryLimit, taken: board.windows.reduce(board.map.ram.size) { $0 + $1.range.size })
    isShadowed = dma == .shadow
    translated =
      board.iommu == nil
      ? nil : (WindowOwner(DMAWindow(name: Board.translated, opening: ram)), IOMMU(memory: board.map.ram))
    guard !dma.isWithoutWindows else {
      windows = [WindowOwner(DMAWindow(name: Board.openWindow, opening: ram))]
      return
    }
    windows = try board.windows.map { WindowOwner(try DMAWindow(name: $0.name, range: $0.range)) }
    for (owner, window) in zip(windows, board.windows) {
      // SAFETY: the windows live as long as this object, which the run keeps until all vCPUs have ended.
      try unsafe machine.setUserMemoryRegion(
        slot: window.memorySlot,
        guestAddress: window.range.start.rawValue,
        size: window.range.size,
        hostAddress: owner.window.hostAddress
      )
    }
  }

  /// Makes the devices and puts them on the bus and into the loop.
  func plugIn(
    _ bus: inout Bus,
    board: Board,
    machine: SharedMachine,
    loop: EventLoop,
    mailbox: Mailbox,
    events: MachineEvents,
    logger: Logger
  ) throws {
    let log = FaultLog(logger, events, isTranslated: translated != nil)
    for (place, resource) in zip(board.devices, resources) {
      let device = try resource.makeDevice(
        BootPlace(
          place: place,
          board: board,
          machine: machine,
          budget: budget,
          iommu: translated?.iommu,
          loop: loop,
          mailbox: mailbox,
          events: events,
          logger: logger
        )
      )
      let (space, reachesAll) = makeSpace(place)
      guard device.reach != .everything || reachesAll else {
        throw ConfigurationError(
          .hostFailure,
          .device(place.index, .whole),
          "\(place.name) reaches all memory, which this machine does not grant; use \(at: .property(.dma), "open")"
        )
      }
      let shadow =
        isShadowed && translated == nil && !resource.isElsewhere
        ? try ShadowedDevice(device, thread: mailbox, observer: log) : nil
      let plugged = try VirtioMMIODevice(
        shadow ?? device,
        place: place,
        space: space,
        machine: machine,
        thread: mailbox,
        loop: loop,
        observer: log
      )
      bus.attach(plugged, at: place.registers)
      resource.plugged(into: plugged.transport)
      devices.append(plugged)
      shadows.append(shadow)
      places.append(place)
    }
    if let unused = MemoryMap.unusedVirtio(from: devices.count) { bus.attach(PlaceholderDevices(), at: unused) }
  }

  /// What a device sees, and whether that is all.
  private func makeSpace(_ place: Board.DevicePlace) -> (DMASpace, reachesAll: Bool) {
    if let translated, let endpoint = place.endpoint {
      return (translated.iommu.makeSpace(for: endpoint, of: translated.ram.window), false)
    }
    let window = windows[place.window ?? 0]
    return (window.window.makeSpace(), window.window.extent == .open)
  }

  /// The memory of the confined windows, for whoever looks into the guest's.
  var inspectedWindows: [InspectedMemory] {
    windows.filter { $0.window.extent == .confined }.map { $0.window.inspected() }
  }

  /// The same for who copies it.
  var copiedWindows: [CopiedMemory] {
    windows.filter { $0.window.extent == .confined }.map { owner in
      // SAFETY: the windows live as long as this object, which the boot keeps.
      unsafe CopiedMemory(
        name: "window-\(owner.window.name)",
        range: owner.window.range,
        hostAddress: owner.window.hostAddress,
        descriptor: owner.window.fileDescriptor ?? -1,
        runs: [0..<owner.window.range.size]
      )
    }
  }

  /// What stands behind a device, by its name.
  func resource(named name: String) -> DeviceResource? {
    places.first { $0.name == name }.map { resources[$0.index] }
  }

  /// The ports of the console device, where there is one.
  var console: ConsolePorts? {
    for resource in resources {
      if let console = resource.console { return console }
    }
    return nil
  }

  /// Has all devices finish what they have begun, and begin nothing. While all vCPUs are held.
  ///
  /// - Parameter finished: called once, on the device thread, when all have; also after ``resume()``.
  func suspend(_ finished: @escaping @Sendable () -> Void) {
    let countdown = Countdown(devices.count, finished)
    for device in devices { device.transport.beginSuspension { countdown.count() } }
  }

  /// Has all devices go on.
  func resume() {
    for device in devices { device.transport.endSuspension() }
  }

  /// The guest's time stands.
  func stopTime() {
    for resource in resources { resource.stopTime() }
  }

  /// The guest's time goes on.
  func startTime() {
    for resource in resources { resource.startTime() }
  }

  /// How each region of hot-plug memory stands.
  var hotplugMemory: [HotplugMemoryStatus] {
    var regions: [HotplugMemoryStatus] = []
    for resource in resources {
      if let region = resource.hotplugMemory { regions.append(region) }
    }
    return regions
  }

  /// Asks the guest to have so many bytes of a region.
  ///
  /// - Returns: how the region stands then.
  /// - Throws: ``HotplugMemoryError``.
  func setHotplugMemory(_ name: String, requested: UInt64) throws(HotplugMemoryError) -> HotplugMemoryStatus {
    for resource in resources where resource.hotplugMemory?.name == name {
      try resource.setHotplugMemory(requested: requested)
      if let region = resource.hotplugMemory { return region }
    }
    throw .unknown(name: name, known: hotplugMemory.map(\.name))
  }

  /// Ends what works for the devices. After the vCPUs have ended.
  ///
  /// - Returns: what to tell of those that did not answer for as long as `patience` lasted: they may use the guest's
  ///   memory still.
  func shutDown(_ patience: Patience) -> [String] {
    for resource in resources { resource.stop() }
    while resources.contains(where: \.isWorking), !patience.isOver { chost_pause(1) }
    var stuck: [String] = []
    for resource in resources where resource.isWorking { stuck.append(resource.abandon()) }
    return stuck
  }

  /// The devices go. After their last report.
  func release() {
    for resource in resources { resource.release() }
    budget.regions = []
  }

  /// What a device reaches of the guest's memory, in a word.
  private func reach(of place: Board.DevicePlace, _ board: Board, _ configuration: Configuration) -> String {
    guard place.endpoint == nil, configuration.dma.isWithoutWindows else { return board.reach(of: place).name }
    return resources[place.index].isElsewhere ? Configuration.DMA.shadow.name : configuration.dma.name
  }

  /// What each device did. On the device thread.
  func summaries(_ board: Board, _ configuration: Configuration) -> [Report.Device] {
    var summaries: [Report.Device] = []
    for (plugged, place) in zip(devices, places) {
      let counters = plugged.transport.connection.counters
      let summary = Report.Device(
        name: place.name,
        type: configuration.devices[place.index].typeName,
        window: reach(of: place, board, configuration),
        reach: configuration.reachName(of: place.index),
        bytesRead: counters.memory.bytesRead,
        bytesWritten: counters.memory.bytesWritten,
        largestChain: counters.memory.largestChain,
        refusedAccesses: counters.memory.refusedAccesses,
        kicks: counters.kicks,
        interrupts: counters.interrupts,
        faults: counters.faults,
        part: resources[place.index].report
      )
      summaries.append(summary)
    }
    return summaries
  }
}

/// Calls somebody when so many others have called. On the device thread.
final class Countdown: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone.
  private var left: Int
  private let finished: @Sendable () -> Void

  init(_ count: Int, _ finished: @escaping @Sendable () -> Void) {
    left = count
    self.finished = finished
    if count == 0 { finished() }
  }

  func count() {
    left -= 1
    if left == 0 { finished() }
  }
}
