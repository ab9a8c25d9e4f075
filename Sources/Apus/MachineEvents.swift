internal import Host
internal import Synchronization

/// Something that happened to a machine.
public struct MachineEvent: Sendable, Equatable {
  /// 1 for the first of the machine's, and one more for each.
  public let number: UInt64
  /// Nanoseconds since the machine was made.
  public let time: UInt64
  /// What happened.
  public let kind: Kind

  /// What can happen.
  public enum Kind: Sendable, Equatable {
    /// It began to do something else.
    case state(Inspection.State)
    /// A boot has ended.
    case ended(Outcome)
    /// A driver reset its device.
    case deviceReset(device: String)
    /// A driver broke the rules of its device, by an access that was refused, for example. Of a device that does
    /// nothing else a bounded number is told.
    case deviceFault(device: String, message: String)
    /// The process behind a device was lost, came back, or did what it may not do.
    case backEnd(device: String, message: String)
    /// The guest asked its SCMI platform for something that its machine does.
    case platformRequest(message: String)
    /// A hot-plug memory has another size, or is to have one; both in bytes.
    case hotplugMemory(name: String, requested: UInt64, plugged: UInt64)
  }
}

/// Where events of a machine are told, from any thread, and heard.
final class MachineEvents: Sendable {
  /// It is called under a lock, on any thread: it must be quick, and must not come back here.
  typealias Listener = @Sendable (MachineEvent) -> Void

  /// Somebody who listens.
  struct Subscription: Equatable, Sendable {
    fileprivate let number: UInt64
  }

  private struct State {
    var count: UInt64 = 0
    var listeners: [(subscription: Subscription, call: Listener)] = []
    var subscriptions: UInt64 = 0
  }

  private let made = HostClock.monotonic
  private let state = Mutex(State())

  /// Has `listener` hear everything from now on.
  ///
  /// - Returns: what ends it.
  func listen(_ listener: @escaping Listener) -> Subscription {
    state.withLock { state in
      state.subscriptions += 1
      let subscription = Subscription(number: state.subscriptions)
      state.listeners.append((subscription, listener))
      return subscription
    }
  }

  /// The listener hears nothing any more.
  func end(_ subscription: Subscription) {
    state.withLock { $0.listeners.removeAll { $0.subscription == subscription } }
  }

  /// Tells what happened. From any thread.
  func post(_ kind: MachineEvent.Kind) {
    state.withLock { state in
      state.count += 1
      guard !state.listeners.isEmpty else { return }
      let event = MachineEvent(number: state.count, time: HostClock.monotonic - made, kind: kind)
      for listener in state.listeners { listener.call(event) }
    }
  }
}
