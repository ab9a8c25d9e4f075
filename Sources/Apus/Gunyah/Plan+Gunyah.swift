import GuestABI

extension Plan {
  /// What a guest finds of the hypervisor Gunyah. Interrupts are shared peripheral ones, counted from 0 as in the
  /// device tree.
  public struct Gunyah: Sendable, Encodable {
    /// The machine's number.
    public let vmid: UInt16
    /// Of the resource manager's queues: that there is room again, and that there are messages.
    public let interrupts: [UInt32]
    /// The message queues to other machines of a fleet and from them.
    public let queues: [Queue]
    /// The doorbells that it rings, and those that it hears.
    public let doorbells: [Doorbell]

    /// A message queue in each direction.
    public struct Queue: Sendable, Encodable {
      /// By which the guest finds it.
      public let label: UInt32
      /// The other machine's name.
      public let peer: String
      /// That there is room again, and that there are messages.
      public let interrupts: [UInt32]
      /// How many messages have room.
      public let depth: Int
      /// How many bytes a message has at most.
      public let messageSize: Int
    }

    /// An end of a doorbell.
    public struct Doorbell: Sendable, Encodable {
      /// By which the guest finds it.
      public let label: UInt32
      /// The other machine's name.
      public let peer: String
      /// What the guest does with it: `source` rings, `receiver` hears.
      public let role: String
      /// The receiver's.
      public let interrupt: UInt32?
    }
  }
}

extension Plan.Gunyah {
  /// - Parameters:
  ///   - name: of the machine.
  ///   - configuration: of what it shares with others; what there is of it gets the first interrupts, queues before
  ///     doorbells.
  init(vmid: UInt16, name: String = "", _ configuration: GunyahConfiguration = GunyahConfiguration()) {
    let link = [MachineTree.Gunyah.transmitInterrupt, MachineTree.Gunyah.receiveInterrupt]
    var next = MemoryMap.SharedInterrupt.hypervisor + UInt32(link.count)
    func take() -> UInt32 {
      defer { next += 1 }
      return next
    }
    self.vmid = vmid
    interrupts = link
    queues = configuration.queues.compactMap { pair in
      guard let side = pair.machines.firstIndex(of: name) else { return nil }
      return Queue(
        label: pair.label,
        peer: pair.machines[1 - side],
        interrupts: [take(), take()],
        depth: pair.depth,
        messageSize: pair.messageSize
      )
    }
    doorbells = configuration.doorbells.compactMap { bell in
      switch name {
      case bell.source: Doorbell(label: bell.label, peer: bell.receiver, role: "source", interrupt: nil)
      case bell.receiver: Doorbell(label: bell.label, peer: bell.source, role: "receiver", interrupt: take())
      default: nil
      }
    }
  }
}
