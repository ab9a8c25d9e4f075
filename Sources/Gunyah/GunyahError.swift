/// Why a hypercall did nothing: what the hypervisor gives in x0, where 0 is success.
///
/// Gunyah Hypervisor API, "Error Codes"; the names are that document's.
public enum GunyahError: Int64, Error, Equatable, Sendable, CaseIterable {
  /// The call is not known, or a part of it is not.
  case unimplemented = -1
  /// Ask again.
  case retry = -2
  /// An argument that can have no meaning here.
  case argumentInvalid = 1
  /// A size that can have no meaning here.
  case argumentSize = 2
  /// An argument that is not aligned as it has to be.
  case argumentAlignment = 3
  /// There is no memory for it.
  case noMemory = 10
  /// An address and a size that run over the end of the addresses, or a buffer that is too short.
  case addressOverflow = 20
  /// An address that is nothing.
  case addressInvalid = 22
  /// The caller may not.
  case denied = 30
  /// What is asked for is in use.
  case busy = 31
  /// What is asked for is in a state that does not allow it.
  case objectState = 33
  /// There is no object behind the capability.
  case capabilityNull = 50
  /// The capability was taken back.
  case capabilityRevoked = 51
  /// The capability is one of another kind of object.
  case wrongObjectType = 52
  /// The capability does not give the right to do this.
  case insufficientRights = 53
  /// The queue has no message.
  case messageQueueEmpty = 60
  /// The queue has as many messages as it can have.
  case messageQueueFull = 61
}
