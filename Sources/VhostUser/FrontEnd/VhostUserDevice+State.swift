internal import Virtio

// What a back-end knows of its guest, there and back (vhost-user, "Migrating back-end state").
extension VhostUserDevice {
  /// Has the back-end of a suspended device hand over what it knows, for ``handedOver``. Its rings are stopped until
  /// the device is resumed.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way, for people.
  package func handOver(_ finished: @escaping @Sendable (String?) -> Void) {
    state.value.handedOver = nil
    guard hasState, state.value.wanted != 0 else { return finished(nil) }
    guard state.value.isConnected else { return finished("\(link.subject) is away; wait until it is back") }
    guard state.value.protocolFeatures.contains(.deviceState) else {
      return finished(
        "\(link.subject) cannot hand over what its guest has open (virtiofsd 1.11 and later can); use one that can, or "
          + "a machine without it"
      )
    }
    enqueue(.stop(state.value.wanted) { [weak self] in self?.save(finished) })
  }

  private func save(_ finished: @escaping @Sendable (String?) -> Void) {
    link.run(
      state.value.generation,
      { [weak self] (channel) throws(VhostUserError) in
        let result: Result<[UInt8], VhostUserError>
        do throws(VhostUserError) {
          result = .success(try channel.saveState())
        } catch {
          // A back-end that will not goes on as it is.
          guard case .refused = error else { throw error }
          result = .failure(error)
        }
        guard let self else { return }
        self.thread.post { [weak self] in
          guard let self else { return }
          switch result {
          case .success(let bytes):
            self.state.value.handedOver = bytes
            finished(nil)
          case .failure(let error): finished("\(self.link.subject): \(error)")
          }
        }
      },
      { [weak self] error in
        guard let self, let error else { return }
        self.thread.post { [weak self] in
          if let self { finished("\(self.link.subject): \(error)") }
        }
      }
    )
  }

  /// What the back-end has handed over in this suspension; nil: it knows nothing that another one has to know.
  package var handedOver: [UInt8]? { state.value.handedOver }

  /// Has the back-end take over what another one knew. Before the device's own state is put in.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way, for people.
  package func takeOver(_ bytes: [UInt8], _ finished: @escaping @Sendable (String?) -> Void) {
    guard state.value.protocolFeatures.contains(.deviceState) else {
      return finished(
        "\(link.subject) cannot take over what its guest has open (virtiofsd 1.11 and later can); use one that can"
      )
    }
    link.run(
      state.value.generation,
      { (channel) throws(VhostUserError) in try channel.loadState(bytes) },
      { [weak self] error in
        guard let self else { return }
        self.thread.post { [weak self] in
          guard let self else { return }
          finished(
            error.map { "\(self.link.subject): \($0); give it what the other one had, and look at what it says itself" }
          )
        }
      }
    )
  }
}
