internal import Virtio

/// What a front-end keeps on the device thread.
struct FrontState: ~Copyable {
  enum Phase: Equatable {
    /// The process is there and was greeted.
    case working
    /// Nobody is there; open requests wait until then, in nanoseconds of the monotonic clock.
    case absent(until: UInt64)
    /// Nobody came: requests get errors.
    case offline
    /// The device needs a reset.
    case failed
  }

  /// A chain that is with the other process.
  struct OpenChain {
    /// 0: there is none with this first descriptor.
    var ticket: UInt64 = 0
    /// How much the answer may be, in bytes.
    var writable: UInt32 = 0
    /// In granules.
    var cost: Int32 = 0
  }

  /// Something that the process was asked and has not answered.
  struct Operation {
    let number: UInt64
    let kind: MessageKind
    /// In nanoseconds of the monotonic clock.
    let deadline: UInt64
    let finished: @Sendable () -> Void
  }

  /// An answer that is arriving.
  struct Arriving {
    var queue: Int
    var head: UInt16
    var ticket: UInt64
    /// Bytes to come.
    var left: Int
    /// Bytes in all.
    var used: Int
    /// The chain's last byte, where it is apart.
    var last: UInt8?
    /// Nobody waits for it any longer: it is read and thrown away.
    var isDropped: Bool
  }

  var queues: DeviceQueues
  /// The chain that is being sent, or answered here.
  var chain: DescriptorChain
  /// The chain that is being answered from there.
  var answered: DescriptorChain
  var peer: MessagePeer?
  var watcher: (any MessageWatcher)?
  var phase = Phase.working
  /// A process that was found and has not greeted yet.
  var isGreeting = false
  /// When that was, in nanoseconds of the monotonic clock.
  var greetingSince: UInt64 = 0
  var wantsRoom = false
  var isTicking = false
  var isStarted = false
  /// A driver has started the device or written to it since the last reset.
  var isTouched = false
  var isSuspended = false
  /// Of all queues, by their first descriptors.
  var open: [OpenChain]
  /// How many of them should be answered soon.
  var awaited = 0
  /// Granules that are out.
  var outstanding = 0
  /// The queues whose chains found no credit, a bit for each.
  var starved: UInt64 = 0
  /// The queues in which something was given back and not published yet, a bit for each.
  var unpublished: UInt64 = 0
  /// The queues that have chains left for the next turn, a bit for each.
  var later: UInt64 = 0
  /// Of each queue: how often it began anew.
  var epochs: [UInt16]
  var sequence: UInt32 = 0
  var requests: UInt64 = 0
  var operations: [Operation] = []
  var arriving: Arriving?
  /// The configuration space as it was told last.
  var pendingConfiguration: [UInt8]?
  /// When it was changed last, in nanoseconds of the monotonic clock.
  var configurationTime: UInt64 = 0
  /// The model's state of a suspended device.
  var saved: [UInt8] = []
  var restored: [MessagesDeviceState.Chain] = []
  /// Answers of an earlier life of a queue that were thrown away.
  var late: UInt64 = 0

  init(queueSizes: [UInt16], openCount: Int) {
    queues = DeviceQueues(count: queueSizes.count)
    let capacity = Int(queueSizes.max() ?? 1)
    chain = DescriptorChain(capacity: capacity)
    answered = DescriptorChain(capacity: capacity)
    open = Array(repeating: OpenChain(), count: openCount)
    epochs = Array(repeating: 0, count: queueSizes.count)
  }
}

/// What waits for a front-end's socket and time. On the device thread.
package protocol MessageWatcher: AnyObject {
  /// Calls ``MessagesDevice/ready()`` when something has come or the other side has gone.
  func watch(_ peer: MessagePeer)

  /// Calls it also when there is room to send, or not.
  func wantRoom(_ wants: Bool)

  /// Nothing is watched any longer.
  func unwatch()

  /// Calls ``MessagesDevice/tick()``.
  ///
  /// - Parameter nanoseconds: from now.
  func arm(after nanoseconds: UInt64)

  /// Calls ``MessagesDevice/soon()`` when other devices had their turn.
  func callSoon()

  /// The device goes.
  func end()
}
