import Host
internal import Synchronization
import Virtio

/// What other threads have the device thread do.
///
/// It is at the same time the place where vCPUs wait for it, so ``close()`` must come before anybody waits for the
/// vCPUs.
final class DeviceWork: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: everything that changes is behind the mutex.

  private struct State {
    var work: [@Sendable () -> Void] = []
    /// The gates that vCPUs wait at: no more than there are vCPUs.
    var waiting: [Gate] = []
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Signalled when there is work.
  let event: EventDescriptor

  init() throws(HostError) {
    event = try EventDescriptor()
  }

  func post(_ work: @escaping @Sendable () -> Void) {
    let wasEmpty = state.withLock { state in
      state.work.append(work)
      return state.work.count == 1
    }
    if wasEmpty { event.signal() }
  }

  func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let gate = Gate()
    let isClosed = state.withLock { state in
      if !state.isClosed { state.waiting.append(gate) }
      return state.isClosed
    }
    guard !isClosed else { return }
    post { work { gate.open() } }
    gate.wait()
    state.withLock { $0.waiting.removeAll { $0 === gate } }
  }

  /// Does what there is. On the device thread, when the event is signalled.
  func doAll() {
    event.clear()
    let work = state.withLock { state in
      let work = state.work
      state.work = []
      return work
    }
    for piece in work { piece() }
  }

  /// The machine ends: nobody waits any longer, and nothing is done any more.
  func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      state.work = []
      return state.waiting
    }
    for gate in waiting { gate.open() }
  }
}
