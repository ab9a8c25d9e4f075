import BootImage
import GuestABI
import GuestMemory
import Gunyah

/// A configuration without mistakes, and what it comes to.
///
/// It never changes, and a machine hands it on so often that copies would be a part of each start: so it is a class.
final class CheckedConfiguration: Sendable {
  let configuration: Configuration
  /// The configuration's, or one that was drawn.
  let uuid: Configuration.UUID
  /// As planned: where the configuration leaves the interrupt controller to the host, with a GICv3.
  let board: Board
  /// What is booted, and where it goes; nil where the machine goes on from a snapshot.
  let boot: PlannedBoot?
  /// The machine's place on its platform.
  let platform: SCMIPlace?

  /// What a boot puts into memory.
  struct PlannedBoot {
    let image: BootImageDescription
    let placement: BootPlacement
  }

  init(
    configuration: Configuration,
    uuid: Configuration.UUID,
    board: Board,
    boot: PlannedBoot?,
    platform: SCMIPlace?
  ) {
    self.configuration = configuration
    self.uuid = uuid
    self.board = board
    self.boot = boot
    self.platform = platform
  }

  /// With the devices. For people and programs that ask: no guest needs it.
  var plan: Plan { plan(at: nil) }

  /// The same of a machine that is one of several with Gunyah.
  func plan(at place: GunyahHost.Place?) -> Plan {
    guard board.isGunyah else { return Plan(self, gunyah: nil) }
    return Plan(self, gunyah: place?.plan(of: configuration.name) ?? Plan.Gunyah(vmid: VMID.primary.rawValue))
  }

  /// Loads the payload and the initramfs as a start would, into memory that goes again: only so is it known whether a
  /// compressed kernel can be decompressed.
  ///
  /// - Throws: ``ConfigurationError``, what a start would end with.
  func rehearse(_ inputs: Inputs) throws(ConfigurationError) {
    do {
      let files = try inputs.bootFiles(of: configuration)
      let ram = try PrivateRAM(range: board.map.ram, pages: .hugeWherePossible)
      let tree = configuration.plannedTree(board, uuid, files.overlays)
      _ = try BootLoader(files: files, tree: tree).loadFiles(into: ram)
    } catch {
      throw ConfigurationError(loading: error, in: configuration)
    }
  }
}
