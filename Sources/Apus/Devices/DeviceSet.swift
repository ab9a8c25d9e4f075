internal import CHost
import GuestABI
import GuestMemory
import Host
import KVM
internal import Logging
import Virtio
import VirtioMMIO

/// The virtio devices of one boot, with the windows that they are confined to.
final class DeviceSet {
  private let resources: [DeviceResource]
  private let windows: [WindowOwner]
  private(set) var devices: [VirtioMMIODevice] = []
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
  /// - Parameter resources: what stands behind each device of the board.
  init(
    _ board: Board,
    _ resources: [DeviceResource],
    ram: borrowing PrivateRAM,
    isOpen: Bool,
    _ machine: borrowing VirtualMachine
  ) throws {
    self.resources = resources
    guard !isOpen else {
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
    logger: Logger
  ) throws {
    let log = FaultLog(logger)
    for (place, resource) in zip(board.devices, resources) {
      let owner = windows[place.window ?? 0]
      let device = try resource.makeDevice(
        BootPlace(place: place, board: board, machine: machine, loop: loop, mailbox: mailbox, logger: logger)
      )
      guard device.reach != .everything || owner.window.extent == .open else {
        throw ConfigurationError(
          .hostFailure,
          .device(place.index, .whole),
          "\(place.name) reaches all memory, which this machine does not grant; use \(at: .property(.dma), "open")"
        )
      }
      let plugged = try VirtioMMIODevice(
        device,
        place: place,
        space: owner.window.makeSpace(),
        machine: machine,
        thread: mailbox,
        loop: loop,
        observer: log
      )
      bus.attach(plugged, at: place.registers)
      resource.plugged(into: plugged.transport)
      devices.append(plugged)
      places.append(place)
    }
    if let unused = MemoryMap.unusedVirtio(from: devices.count) { bus.attach(PlaceholderDevices(), at: unused) }
  }

  /// The memory of the confined windows, for whoever looks into the guest's.
  var inspectedWindows: [InspectedMemory] {
    windows.filter { $0.window.extent == .confined }.map { $0.window.inspected() }
  }

  /// The ports of the console device, where there is one.
  var console: ConsolePorts? {
    for resource in resources {
      if let console = resource.console { return console }
    }
    return nil
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
  }

  /// What each device did. On the device thread.
  func summaries(_ board: Board, _ configuration: Configuration) -> [Report.Device] {
    var summaries: [Report.Device] = []
    for (plugged, place) in zip(devices, places) {
      let counters = plugged.transport.connection.counters
      let summary = Report.Device(
        name: place.name,
        type: configuration.devices[place.index].typeName,
        window: board.reach(of: place).name,
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
