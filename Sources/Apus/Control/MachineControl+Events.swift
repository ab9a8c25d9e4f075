import ApusControl

extension MachineControl {
  /// What happens to the machine.
  func addEvents(to table: inout ControlTable) {
    let reboots = checked.configuration.onReset == .reboot
    table.on(Control.EventsSubscribe.self) { [events] parameters, answer in
      let listening = Listening()
      let subscription = answer.subscribe { listening.end() }
      answer.succeed(.init(subscription.number))
      let kinds = parameters.kinds.map(Set.init)
      let listener = events.listen { event in
        let content = Control.Event.Content(event, reboots: reboots)
        guard kinds?.contains(content.kind) ?? true else { return }
        subscription.tell(Control.Event.self, content)
      }
      listening.begin { events.end(listener) }
    }
    table.on(Control.Unsubscribe.self) { parameters, answer in
      guard let lost = answer.unsubscribe(parameters.subscription) else {
        let message = "subscription: this connection has none of the number \(parameters.subscription)"
        return answer.fail(.notFound, message)
      }
      var result = Control.Unsubscribe.Answer()
      result.lost = lost
      answer.succeed(result)
    }
  }
}

extension Control.Event.Content {
  init(_ event: MachineEvent, reboots: Bool) {
    self.init()
    number = event.number
    time = event.time
    switch event.kind {
    case .state(let new):
      kind = .state
      state = Control.State(new)
      message = "the machine is \(new.rawValue)"
    case .ended(let ended):
      kind =
        switch ended.end {
        case .panicked: .panic
        case .guestFault: .guestFault
        default: .ended
        }
      outcome = ended.end.name
      isLast = ended.end != .reset || !reboots
      message = ended.message
    case .deviceReset(let name):
      kind = .deviceReset
      device = name
      message = "the driver of \(name) reset it"
    case .deviceFault(let name, let text):
      kind = .deviceFault
      device = name
      message = text
    case .backEnd(let name, let text):
      kind = .backEnd
      device = name
      message = text
    case .platformRequest(let text):
      kind = .platformRequest
      message = text
    case .hotplugMemory(let region, let wanted, let there):
      kind = .hotplugMemory
      name = region
      requested = wanted
      plugged = there
      message = "\(region) has \(there) bytes of \(wanted) that it is to have"
    }
  }
}
