/// What the resource manager knows of a machine.
final class ManagedMachine {
  let vmid: VMID
  /// Who made it and may start, stop and reset it; ``VMID/resourceManager`` for those that were there at the start.
  var owner: VMID
  /// Whether a machine's ALLOC made it; the others were there at the start.
  let isMade: Bool
  var state: MachineState
  var osStatus: UInt8 = 0
  var applicationStatus: UInt16 = 0
  var peers: [VMID] = []
  var assembler = RPCAssembler(of: [.request])
  var outbox = Outbox()
  var ownership = PageOwnership()
  var addressEnd: UInt64 = 1 << 40
  var image: ImageRequest?
  var configuration: MachineConfiguration?
  /// How many memory parcels it owns.
  var parcelCount = 0
  /// How many pieces those have.
  var pieceCount = 0

  /// What CONFIG_IMAGE said.
  struct ImageRequest {
    var handle: UInt32
    var imageOffset: UInt64
    var imageSize: UInt64
    var deviceTreeOffset: UInt64
    var deviceTreeSize: UInt64
  }

  init(_ vmid: VMID, owner: VMID, isMade: Bool, state: MachineState) {
    self.vmid = vmid
    self.owner = owner
    self.isMade = isMade
    self.state = state
  }

  var isDynamic: Bool { VMID.dynamic.contains(vmid.rawValue) }
}
