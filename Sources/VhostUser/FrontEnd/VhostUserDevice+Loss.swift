internal import Virtio

// Loss and return of the back-end.
extension VhostUserDevice {
  func hear(_ event: VhostUserLinkEvent) {
    switch event {
    case .lost(let error, let isDead): lost(error, isDead: isDead)
    case .away(let error): tellTrouble("\(error); it is tried again and again until it is back")
    case .returned(let offer, let generation):
      state.value.generation = generation
      returned(offer)
    case .configuration(let bytes):
      guard bytes.count == configuration.size else { return }
      configuration.change { $0 = bytes }
      state.value.connection?.interruptForConfigurationChange()
    }
  }

  func lost(_ error: VhostUserError, isDead: Bool) {
    tellTrouble("\(error)")
    (state.value.isConnected, state.value.isBack) = (false, false)
    showLink()
    let running = state.value.running
    state.value.running = 0
    for index in state.value.queues.indices { forgetRing(index) }
    if !isDead, mode != .bounced, running != 0 {
      // It may write to the guest's buffers still, so the guest must not have them back.
      fail("\(link.subject) cannot be made to end")
    } else if mode == .direct, running != 0 {
      // What it had is not known: the guest's rings say what was taken and not what was done.
      tell("\(link.subject): its requests are lost, and the device needs a reset by the guest's driver, or a new start")
      state.value.connection?.needsReset()
    } else {
      answerAll()
    }
    rest()
  }

  /// Answers in place of a back-end that is gone, where the type has such answers.
  func answerAll() {
    guard !state.value.isConnected, !state.value.isSuspended, case .answer(let answer) = loss,
      let connection = state.value.connection, !connection.hasFailed
    else { return }
    for index in indices(state.value.wanted) {
      if state.value.queues[index].shadow.answer(connection, answer) { kickLater(index) }
    }
  }

  private func returned(_ offer: VhostUserOffer) {
    (state.value.isConnected, state.value.isBack) = (true, false)
    guard !state.value.isUnfit else { return }
    if let reason = unfitness(offer) { return fail("\(link.subject) came back and \(reason)") }
    state.value.offered = offer.features
    state.value.protocolFeatures = offer.protocolFeatures
    if let bytes = offer.configuration, bytes.count == configuration.size, bytes != configuration.bytes {
      hear(.configuration(bytes))
    }
    if state.value.connection?.hasFailed == true {
      tellTrouble("there is a new one, for when the guest's driver has reset the device")
    }
    if !state.value.isSuspended { enqueue(.start(state.value.wanted) {}) }
  }

  /// What the driver wants is done again, if it wants anything.
  func cameBack() {
    guard state.value.isConnected, !state.value.isBack, !state.value.isUnfit,
      state.value.connection?.hasFailed != true, state.value.wanted & ~state.value.running == 0
    else { return }
    state.value.isBack = true
    state.value.troubles = []
    tell("\(link.subject): it is back")
    showLink()
  }

  /// Tells of each trouble once until all is well again: a back-end may be lost in the same way again and again.
  private func tellTrouble(_ trouble: String) {
    guard !state.value.isUnfit, !state.value.troubles.contains(trouble) else { return }
    // Whose words differ each time makes no list without an end.
    if state.value.troubles.count == Self.troubleLimit { state.value.troubles.removeFirst() }
    state.value.troubles.append(trouble)
    tell("\(link.subject): \(trouble)")
  }

  /// Whether its owner has left a network card's cable in.
  package var isCableIn: Bool { state.value.hasCable }

  /// Pulls a network card's cable, or puts it in; the driver is told.
  package func setCable(isIn: Bool) {
    state.value.hasCable = isIn
    showLink()
  }

  private func showLink() {
    guard let linkField else { return }
    let isUp: UInt8 = state.value.isBack && state.value.hasCable ? 1 : 0
    guard configuration.load(linkField, as: UInt8.self) != isUp else { return }
    configuration.change { $0[linkField] = isUp }
    state.value.connection?.interruptForConfigurationChange()
  }

  private func unfitness(_ offer: VhostUserOffer) -> String? {
    let missing = state.value.features.intersection(remoteFeatures)
      .subtracting(VirtioFeatures(rawValue: offer.features))
    if !missing.isEmpty { return "lacks features \(missing) that the driver uses" }
    if let count = offer.queueCount, count < UInt64(queueSizes.count) { return "has \(count) queues" }
    if let bytes = offer.configuration, bytes.count != configuration.size { return "has another configuration space" }
    return nil
  }

  /// For good: the guest's driver may reset the device, and it fails again.
  private func fail(_ reason: String) {
    if !state.value.isUnfit {
      tell("\(reason): the device takes no further requests; end that process, and start the machine anew")
    }
    state.value.isUnfit = true
    state.value.connection?.needsReset()
  }
}
