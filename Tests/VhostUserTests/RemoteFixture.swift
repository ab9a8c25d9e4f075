import CHost
import Foundation
import GuestMemory
import Host
import Synchronization
import TestLimits
import Testing
import VhostUserTesting
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// A device whose back-ends are fakes, with a driver that has set it up.
final class RemoteFixture {
  let thread: PumpedThread
  let connector: FakeConnector
  let link: VhostUserLink
  let offer: VhostUserOffer
  private(set) var device: VhostUserDevice
  private(set) var machine: TestMachine
  var queue: DriverQueue<TestMachine>
  /// Memory that no queue uses.
  let scratch: UInt64
  private let told: Told
  private let mode: VhostUserMode
  private let profile: VhostUserProfile
  /// By which KVM tells a back-end of the driver's notifications, where it works on the guest's own rings.
  private let notification: SharedEventDescriptor

  private final class Told: Sendable {
    let lines = Mutex<[String]>([])
  }

  /// What people hear of the back-end.
  var messages: [String] { told.lines.withLock { $0 } }

  /// - Parameters:
  ///   - plans: of the back-ends, one for each connection; the last one's holds for all that follow.
  ///   - loss: what becomes of requests whose back-end is gone.
  ///   - receiveQueueSize: of queue 0 where it takes what is answered to queue 1.
  ///   - thread: another device's; nil: one of its own.
  init(
    _ mode: VhostUserMode,
    _ plans: [FakeBackEnd.Plan] = [.init()],
    loss: VhostUserProfile.Loss = .resubmit,
    configurationSize: Int = 0,
    answerLimit: UInt64 = 5_000_000_000,
    goodLife: UInt64 = 1_000_000_000,
    receiveQueueSize: UInt16? = nil,
    hasState: Bool = false,
    starts: Bool = true,
    on thread: PumpedThread? = nil
  ) throws {
    let thread = try thread ?? PumpedThread()
    self.thread = thread
    self.mode = mode
    notification = SharedEventDescriptor(try EventDescriptor())
    let connector = FakeConnector(plans)
    self.connector = connector
    var patience = VhostUserPatience()
    (patience.answer, patience.goodLife) = (answerLimit, goodLife)
    (patience.firstPause, patience.lastPause) = (1_000_000, 50_000_000)
    link = try VhostUserLink(
      connector,
      configurationSize: configurationSize,
      wantsState: hasState,
      patience: patience
    )
    offer = try link.open()
    try link.begin()
    let told = Told()
    self.told = told
    profile = VhostUserProfile(
      identifier: .entropy,
      features: [],
      configurationSize: configurationSize,
      queueCount: Int(plans[0].queueCount),
      queueSize: 64,
      receiveQueueSize: receiveQueueSize,
      loss: loss,
      hasState: hasState
    )
    device = try Self.makeDevice(profile, offer, mode, link, thread, told)
    machine = try Self.makeMachine(device, thread, notification)
    queue = DriverQueue(machine, index: 0, size: 64, at: machine.windowStart)
    scratch = (queue.end + 0xFFF) & ~0xFFF
    if starts { start() }
  }

  deinit {
    device.release()
    link.close()
  }

  private static func makeDevice(
    _ profile: VhostUserProfile,
    _ offer: VhostUserOffer,
    _ mode: VhostUserMode,
    _ link: VhostUserLink,
    _ thread: PumpedThread,
    _ told: Told
  ) throws -> VhostUserDevice {
    try VhostUserDevice(
      name: "test",
      profile,
      offer: offer,
      mode: mode,
      link: link,
      loop: thread.loop,
      thread: thread
    ) { line in told.lines.withLock { $0.append(line) } }
  }

  private static func makeMachine(
    _ device: VhostUserDevice,
    _ thread: PumpedThread,
    _ notification: SharedEventDescriptor
  ) throws -> TestMachine {
    let descriptors = QueueDescriptors(kick: notification.value.rawValue)
    return try TestMachine(
      device,
      thread: thread,
      descriptors: Array(repeating: descriptors, count: device.queueSizes.count)
    )
  }

  /// The machine reboots: all is made anew but the connection.
  func reboot() throws {
    device.release()
    device = try Self.makeDevice(profile, offer, mode, link, thread, told)
    machine = try Self.makeMachine(device, thread, notification)
    start()
  }

  /// The driver notifies the queue.
  func notify() {
    if mode == .direct { notification.value.signal() } else { _ = machine.transport.kick(queue: 0) }
  }

  /// Stops the device, until ``resume()``.
  func suspend() {
    let transport = machine.transport
    thread.perform { finished in transport.beginSuspension(finished) }
  }

  func resume() { machine.transport.endSuspension() }

  /// Goes on from where another one is, whose driver this one's is from now on. Paused until ``resume()``.
  func goOn(from other: RemoteFixture) throws {
    machine.store(
      other.machine.bytes(at: other.machine.windowStart, count: Int(other.machine.windowSize)),
      at: machine.windowStart
    )
    suspend()
    let (state, own) = other.machine.transport.takeState()
    let (transport, copy) = (machine.transport, try Self.copied(own))
    let failure = Mutex<DeviceStateError?>(nil)
    thread.perform { finished in
      do throws(DeviceStateError) {
        try transport.putState(state, copy, finished)
      } catch {
        failure.withLock { $0 = error }
        finished()
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    queue = DriverQueue(other.queue, movedTo: machine)
  }

  /// As it comes out of a file.
  private static func copied(_ state: any VersionedState) throws -> any VersionedState {
    let own = try VhostUserDeviceState(kindOf: state)
    return try JSONDecoder().decode(Versioned<VhostUserDeviceState>.self, from: JSONEncoder().encode(Versioned(own)))
      .state
  }

  /// From reset to DRIVER_OK.
  func start() {
    queue = DriverQueue(machine, index: 0, size: 64, at: machine.windowStart)
    precondition(machine.driver.negotiate(machine.driver.offeredFeatures), "the device agrees")
    precondition(machine.driver.enable(queue), "the device takes the queue")
    machine.driver.start()
  }

  /// The queue as the device is told of it.
  var configuration: QueueConfiguration {
    QueueConfiguration(
      size: queue.size,
      descriptorTable: queue.descriptorTable,
      driverArea: queue.driverArea,
      deviceArea: queue.deviceArea
    )
  }

  /// Where the bytes of a request to write lie.
  func answerPlace(_ number: Int) -> UInt64 { scratch + UInt64(number) * 0x1000 + 0x800 }

  /// Has a request to echo made available: its bytes, and room for as many.
  func request(_ bytes: [UInt8], number: Int = 0) {
    let place = scratch + UInt64(number) * 0x1000
    machine.store(bytes, at: place)
    machine.store(Array(repeating: 0, count: bytes.count), at: answerPlace(number))
    queue.writeChain(
      [
        .init(place, UInt32(bytes.count), isWritable: false),
        .init(answerPlace(number), UInt32(bytes.count), isWritable: true),
      ],
      from: UInt16(2 * number)
    )
    queue.offer(UInt16(2 * number))
    notify()
  }

  /// Waits for an element of the used ring.
  func takeUsed(_ limit: Duration = .seconds(20)) -> DriverQueue<TestMachine>.Used? {
    var used: DriverQueue<TestMachine>.Used?
    thread.pump(limit) {
      used = queue.takeUsed()
      return used != nil
    }
    return used
  }

  /// The answer to a request.
  func answer(_ count: Int, number: Int = 0) -> [UInt8] { machine.bytes(at: answerPlace(number), count: count) }
}

/// Starts a fake back-end for each connection.
final class FakeConnector: VhostUserConnector, @unchecked Sendable {
  // SAFETY: @unchecked: everything is behind the mutex.

  private struct State {
    var plans: [FakeBackEnd.Plan]
    var backEnds: [FakeBackEnd] = []
    var ends = 0
    var endedAt: UInt64?
    var pauses: [Duration] = []
  }

  private let state: Mutex<State>
  let subject = "the back-end"

  init(_ plans: [FakeBackEnd.Plan]) {
    state = Mutex(State(plans: plans))
  }

  deinit {
    for backEnd in backEnds { backEnd.end() }
  }

  /// All that there were, the present one last.
  var backEnds: [FakeBackEnd] { state.withLock { $0.backEnds } }

  func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    let (ours, theirs) = try VhostUserSocket.pair()
    let plan = state.withLock { $0.plans.count > 1 ? $0.plans.removeFirst() : $0.plans[0] }
    guard let backEnd = try? FakeBackEnd(theirs, plan) else { throw .host("no back-end") }
    state.withLock { state in
      if let endedAt = state.endedAt { state.pauses.append(.nanoseconds(HostClock.monotonic - endedAt)) }
      state.backEnds.append(backEnd)
    }
    return ours
  }

  /// How long it took from the end of each connection to the next one.
  var pauses: [Duration] { state.withLock { $0.pauses } }

  /// How often a connection was given up.
  var ends: Int { state.withLock { $0.ends } }

  func disconnect(_ error: VhostUserError) -> VhostUserEnd {
    let last = state.withLock { state in
      state.ends += 1
      return state.backEnds.last
    }
    if let last, last.plan.endsAfter > 0 { chost_pause(.init(last.plan.endsAfter)) }
    state.withLock { $0.endedAt = HostClock.monotonic }
    return VhostUserEnd(error: error, isDead: last?.plan.outlivesItsConnection != true)
  }
}
