import Gunyah

/// A machine's two queues to and from the resource manager.
struct GunyahLink: Sendable {
  /// The queues, which the manager holds, too.
  struct Queues: Sendable {
    let toManager: GunyahQueue
    let fromManager: GunyahQueue

    /// As the resource manager makes them for each link.
    init() {
      toManager = GunyahQueue(depth: 8, maximumSize: RPCHeader.maximumFragmentSize)
      fromManager = GunyahQueue(depth: 8, maximumSize: RPCHeader.maximumFragmentSize)
    }
  }

  let queues: Queues
  /// By which the machine sends.
  let transmit: CapabilityID
  /// By which it receives.
  let receive: CapabilityID

  init(_ queues: Queues, _ capabilities: inout GunyahCapabilities) {
    self.queues = queues
    guard
      let transmit = capabilities.insert(.queue(queues.toManager), rights: .send, peer: .resourceManager),
      let receive = capabilities.insert(.queue(queues.fromManager), rights: .receive, peer: .resourceManager)
    else { preconditionFailure("a new table has room") }
    self.transmit = transmit
    self.receive = receive
  }
}
