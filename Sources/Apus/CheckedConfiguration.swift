import BootImage
import GuestABI
import GuestMemory

/// A configuration without mistakes, and what it comes to.
///
/// It never changes, and a machine hands it on so often that copies would be a part of each start: so it is a class.
final class CheckedConfiguration: Sendable {
  let configuration: Configuration
  /// The configuration's, or one that was drawn.
  let uuid: Configuration.UUID
  /// As planned: where the configuration leaves the interrupt controller to the host, with a GICv3.
  let board: Board
  let image: BootImageDescription
  let placement: BootPlacement
  /// The machine's place on its platform.
  let platform: SCMIPlace?

  init(
    configuration: Configuration,
    uuid: Configuration.UUID,
    board: Board,
    image: BootImageDescription,
    placement: BootPlacement,
    platform: SCMIPlace?
  ) {
    self.configuration = configuration
    self.uuid = uuid
    self.board = board
    self.image = image
    self.placement = placement
    self.platform = platform
  }

  /// With the devices. For people and programs that ask: no guest needs it.
  var plan: Plan { Plan(self) }

  /// Loads the payload and the initramfs as a start would, into memory that goes again: only so is it known whether a
  /// compressed kernel can be decompressed.
  ///
  /// - Throws: ``ConfigurationError``, what a start would end with.
  func rehearse(_ inputs: Inputs) throws(ConfigurationError) {
    do {
      let ram = try PrivateRAM(range: board.map.ram, pages: .hugeWherePossible)
      let tree = configuration.plannedTree(board, uuid, inputs.overlays)
      _ = try BootLoader(inputs: inputs, tree: tree).loadFiles(into: ram)
    } catch {
      throw ConfigurationError(loading: error, in: configuration)
    }
  }
}
