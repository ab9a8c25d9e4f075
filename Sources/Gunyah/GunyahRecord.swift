/// One line of a transcript: a hypercall, or a message between a machine and the resource manager.
public struct GunyahRecord: Equatable, Sendable {
  /// What a machine asked the hypervisor by a register, and what it got.
  public struct Call: Equatable, Sendable {
    /// x0 as it was: also what is no hypercall is asked for.
    public var number: UInt64
    /// x1 and those behind it, as many as the call has.
    public var arguments: [UInt64]
    /// x0 as it became: 0, or the error's number.
    public var result: Int64
    /// x1 and those behind it, as many as the call gives.
    public var outputs: [UInt64]
    /// The message that a send or a receive moved, where it is written down.
    public var bytes: [UInt8]?
    /// The number of the machine at the other end of the object that the call was about (VMID), where there is one.
    public var peer: UInt16?

    public init(
      number: UInt64,
      arguments: [UInt64],
      result: Int64,
      outputs: [UInt64],
      bytes: [UInt8]? = nil,
      peer: UInt16? = nil
    ) {
      self.number = number
      self.arguments = arguments
      self.result = result
      self.outputs = outputs
      self.bytes = bytes
      self.peer = peer
    }

    /// What was asked for, or nil where nothing answers it.
    public var call: CallNumber? { CallNumber(x0: number) }
    /// Why nothing was done, or nil.
    public var error: GunyahError? { call?.givesValue == true ? nil : GunyahError(rawValue: result) }
  }

  /// A whole message, however many fragments it came in.
  public struct Message: Equatable, Sendable {
    /// Who sends it.
    public enum Direction: Equatable, Sendable, CaseIterable {
      case toManager
      case fromManager
    }

    /// What it is to the receiver.
    public enum Kind: Equatable, Sendable, CaseIterable {
      case request
      case reply
      case notification
    }

    /// Whether the manager sent it or got it.
    public var direction: Direction
    /// Whether it asks, answers or tells.
    public var kind: Kind
    /// What is asked for, answered or told.
    public var identifier: UInt32
    /// A reply has its request's.
    public var sequence: UInt16
    /// What stands behind the header: of a reply, the error first.
    public var payload: [UInt8]

    public init(direction: Direction, kind: Kind, identifier: UInt32, sequence: UInt16, payload: [UInt8]) {
      self.direction = direction
      self.kind = kind
      self.identifier = identifier
      self.sequence = sequence
      self.payload = payload
    }
  }

  /// What happened.
  public enum Content: Equatable, Sendable {
    /// A vCPU's call, with what it came to.
    case call(Call)
    /// A message that became whole, or was handed over to be sent.
    case message(Message)
  }

  /// When it was, in nanoseconds since the transcript's beginning.
  public var time: UInt64
  /// The machine's number among those of the resource manager (VMID).
  public var machine: UInt16
  /// Which of the machine's vCPUs it was, if it was one.
  public var vcpu: Int?
  /// What happened then.
  public var content: Content

  public init(time: UInt64, machine: UInt16, vcpu: Int? = nil, content: Content) {
    self.time = time
    self.machine = machine
    self.vcpu = vcpu
    self.content = content
  }
}
