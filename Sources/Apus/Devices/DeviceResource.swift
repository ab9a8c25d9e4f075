import GuestABI
import GuestMemory
import Host
import HostBackends
import Logging
import Virtio
import VirtioDevices
import VirtioMMIO

/// What stands behind one device of a machine: opened once, lent to the device of each boot, and closed with the run.
///
/// A base class and not a protocol: of each method most kinds need only what stands here. What is opened when the
/// configuration is checked is passed to the initializer; everything else comes on the device thread.
class DeviceResource {
  /// Whether the device's back-end is another process, which sees nothing of the guest's by itself.
  var isElsewhere: Bool { false }

  /// The machine's place on a platform, where the device has one.
  var platform: SCMIPlace? { nil }

  /// Opens what the run writes or begins. Once, before the first boot.
  ///
  /// - Throws: ``ConfigurationError`` for what the configuration names and the host refuses, or another error of the
  ///   host's.
  func open(_ run: RunPlace) throws {}

  /// Makes the device of a boot.
  ///
  /// - Throws: what the host refuses.
  func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    preconditionFailure("a kind of device makes its devices")
  }

  /// The device has its transport. Before the machine starts.
  func plugged(into transport: MMIOTransport) {}

  /// Has packets pass or not, where the device is a network card.
  ///
  /// - Returns: false where it is none.
  func setLink(isUp: Bool) -> Bool { false }

  /// The image of a disk.
  var image: DiskImage? { nil }

  /// The image has another size; the driver is told.
  func imageChanged() {}

  /// Puts another image behind a disk.
  ///
  /// - Parameter finished: called once, on the device thread, with what went wrong.
  func change(to image: DiskImage, _ finished: @escaping @Sendable (DiskError?) -> Void) {
    preconditionFailure("a disk says how its image changes")
  }

  /// The console device's ports, where the device has them.
  var console: ConsolePorts? { nil }

  /// The guest's time stands. What goes by it and not by the host's stands, too.
  func stopTime() {}

  /// The guest's time goes on.
  func startTime() {}

  /// How the device's hot-plug memory stands, where it has such.
  var hotplugMemory: HotplugMemoryStatus? { nil }

  /// Asks the guest to have so many bytes of it.
  ///
  /// - Throws: ``HotplugMemoryError``.
  func setHotplugMemory(requested: UInt64) throws(HotplugMemoryError) {
    preconditionFailure("only a device with hot-plug memory is asked for some")
  }

  // MARK: Snapshots, on the device thread, of a suspended device

  /// Why no snapshot can have the device, for people, with what to do; nil: one can.
  var snapshotObstacle: String? { nil }

  /// Collects what ``savedState(_:)`` is to give, where that takes its time. The device stays suspended.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way, for people.
  func prepareState(_ finished: @escaping @Sendable (String?) -> Void) { finished(nil) }

  /// Hands a state on where that takes its time. Before ``restore(_:)``, and only where there are no mismatches.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way, for people.
  func prepareRestore(_ state: (any VersionedState)?, _ finished: @escaping @Sendable (String?) -> Void) {
    finished(nil)
  }

  /// What stands behind the device, where it is to go on in another machine or to be found there: beside the device's
  /// own state.
  func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? { nil }

  /// Reads what ``savedState(_:)`` gave.
  ///
  /// - Throws: as ``Versioned/init(from:)``.
  func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    throw DeviceStateError.wrongKind(expected: "nothing", found: "something")
  }

  /// Looks for what is not as it was, before anything is changed.
  ///
  /// - Parameter state: what ``savedState(_:)`` gave; nil where the snapshot has nothing of the kind.
  /// - Returns: each with what would be right, for people.
  func mismatches(with state: (any VersionedState)?, _ wishes: RestoreWishes) -> [String] { [] }

  /// Whether the others cannot go on before this one.
  var isRestoredFirst: Bool { false }

  /// Goes on from a state, before the device does. Only where there are no mismatches.
  ///
  /// - Throws: ``DeviceStateError``, for what only the attempt shows.
  func restore(_ state: (any VersionedState)?) throws(DeviceStateError) {}

  /// The device has its state, and is still suspended: what its driver is to hear of the change of place.
  func restored() {}

  /// The memory that the device manages, where its content is a part of the machine's.
  var copiedMemory: CopiedMemory? { nil }

  /// Begins nothing new. After the vCPUs have ended.
  func stop() {}

  /// Whether something is under way that may use the guest's memory still.
  var isWorking: Bool { false }

  /// Leaves it alone: it does not answer. Whoever calls this keeps the guest's memory for ever.
  ///
  /// - Returns: what to tell people of it.
  func abandon() -> String { "" }

  /// The boot has ended, and its device goes.
  func release() {}

  /// The run has ended.
  func close() {}

  /// What only this kind has to tell of the boot that ends.
  var report: (any Encodable & Sendable)? { nil }
}

/// What a run has for its devices.
struct RunPlace {
  let place: Board.DevicePlace
  let files: RunFiles
  let loop: EventLoop
  let mailbox: Mailbox
  let events: MachineEvents
  let logger: Logger
}

/// What a boot has for a device.
struct BootPlace {
  let place: Board.DevicePlace
  let board: Board
  let machine: SharedMachine
  let budget: MemoryBudget
  /// What the devices are behind, where they are.
  let iommu: IOMMU?
  let loop: EventLoop
  let mailbox: Mailbox
  let events: MachineEvents
  let logger: Logger
}
