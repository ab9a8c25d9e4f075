import Synchronization
import Testing
import Virtio

@testable import Apus

/// A machine whose parts come to rest when the test says so.
private final class SteppedMachine: PausableMachine, DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: the tests use it on one thread.
  private(set) var calls: [String] = []
  var areHeld: [@Sendable (Bool) -> Void] = []
  var areSuspended: [@Sendable () -> Void] = []
  var isImmediate = false
  private var posted: [@Sendable () -> Void] = []

  func holdVCPUs(_ finished: @escaping @Sendable (Bool) -> Void) {
    calls.append("hold")
    if isImmediate { finished(true) } else { areHeld.append(finished) }
  }

  func releaseVCPUs() { calls.append("release") }
  func stopTime() { calls.append("stop time") }
  func startTime() { calls.append("start time") }

  func suspendDevices(_ finished: @escaping @Sendable () -> Void) {
    calls.append("suspend")
    if isImmediate { finished() } else { areSuspended.append(finished) }
  }

  func resumeDevices() { calls.append("resume") }

  func post(_ work: @escaping @Sendable () -> Void) { posted.append(work) }

  func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) { work {} }

  /// What the device thread does when it comes round.
  func runPosted() {
    while !posted.isEmpty { posted.removeFirst()() }
  }

  /// All vCPUs have come.
  func hold(_ pause: Int = 0) {
    areHeld[pause](true)
    runPosted()
  }

  func takeCalls() -> [String] {
    defer { calls = [] }
    return calls
  }
}

@Suite struct PauseControlTests {
  private let machine = SteppedMachine()
  private let states = Told<Inspection.State>()
  private let answers = Told<Bool>()
  private let control: PauseControl

  private final class Told<Value: Sendable>: Sendable {
    private let stored = Mutex<[Value]>([])

    func add(_ value: Value) { stored.withLock { $0.append(value) } }

    var all: [Value] { stored.withLock { $0 } }
  }

  init() {
    control = PauseControl(machine, machine) { [states] in states.add($0) }
  }

  private func pause() { control.pause { [answers] in answers.add($0) } }

  private static let pausing = ["hold", "stop time", "suspend"]
  private static let resuming = ["resume", "start time", "release"]

  @Test func vCPUsRestBeforeTimeAndDevicesDoAndAllGoOnTheOtherWayRound() {
    pause()
    let whileHolding = control.state
    let callsWhileHolding = machine.takeCalls()
    machine.hold()
    let whileSuspending = control.state
    let earlyAnswers = answers.all
    machine.areSuspended[0]()
    let paused = control.state
    let callsToPause = machine.takeCalls()
    control.resume()

    #expect(whileHolding == .pausing && callsWhileHolding == ["hold"])
    #expect(whileSuspending == .pausing && earlyAnswers.isEmpty)
    #expect(paused == .paused && callsToPause == ["stop time", "suspend"])
    #expect(answers.all == [true])
    #expect(control.state == .running && machine.calls == Self.resuming)
    #expect(states.all == [.pausing, .paused, .running])
  }

  @Test func whoPausesWhatIsAboutToPauseWaitsForIt() {
    pause()
    pause()
    machine.hold()
    pause()
    let early = answers.all
    machine.areSuspended[0]()
    pause()

    #expect(early.isEmpty)
    #expect(answers.all == [true, true, true, true])
    #expect(machine.calls == Self.pausing)
  }

  @Test func oneResumptionEndsAnyNumberOfPauses() {
    machine.isImmediate = true
    for _ in 0..<3 { pause() }
    machine.runPosted()

    control.resume()
    control.resume()

    #expect(control.state == .running)
    #expect(machine.calls == Self.pausing + Self.resuming)
  }

  @Test func resumingWhileVCPUsAreStillComingTakesThePauseBack() {
    pause()
    control.resume()
    let answered = answers.all
    // The last of them may have come in the same moment.
    machine.hold()

    #expect(answered == [false])
    #expect(control.state == .running)
    #expect(machine.calls == ["hold", "release"])
    #expect(states.all == [.pausing, .running])
  }

  @Test func resumingWhileADeviceDoesNotComeToRestTakesThePauseBack() {
    pause()
    machine.hold()
    control.resume()
    let answered = answers.all
    machine.areSuspended[0]()

    #expect(answered == [false])
    #expect(control.state == .running)
    #expect(machine.calls == Self.pausing + Self.resuming)
  }

  @Test func whatComesLateOfAPauseThatWasTakenBackIsNotTheNextOnes() {
    pause()
    control.resume()
    pause()
    machine.hold(0)
    let afterTheFirstOnesVCPUs = (control.state, machine.areSuspended.count)
    machine.hold(1)
    control.resume()
    pause()
    machine.hold(2)
    machine.areSuspended[0]()
    let afterTheSecondOnesDevices = control.state
    machine.areSuspended[1]()

    #expect(afterTheFirstOnesVCPUs == (.pausing, 0))
    #expect(afterTheSecondOnesDevices == .pausing)
    #expect(control.state == .paused)
    #expect(answers.all == [false, false, true])
  }

  @Test func aHoldThatFailsLeavesTheAnswerToTheEnd() {
    pause()
    machine.areHeld[0](false)
    machine.runPosted()
    let early = answers.all

    let left = control.end()
    for caller in left { caller(false) }

    #expect(early.isEmpty)
    #expect(left.count == 1 && answers.all == [false])
    #expect(machine.calls == ["hold"])
  }

  @Test func theEndOfAPausedBootHasItsDevicesGoOnAndNobodyWait() {
    machine.isImmediate = true
    pause()
    machine.runPosted()
    _ = machine.takeCalls()

    let left = control.end()

    #expect(left.isEmpty && answers.all == [true])
    #expect(machine.calls == ["resume", "start time"])
    #expect(control.state == .running)
  }

  @Test func whoWaitsForThePauseOfOneBootIsNotHandedOn() {
    pause()
    control.pause(isOfBoot: true) { [answers] in answers.add($0) }
    machine.hold()

    let left = control.end()

    #expect(left.count == 1 && answers.all.isEmpty)
  }

  @Test func theEndOfABootWhoseDeviceDoesNotAnswerHandsThoseOnWhoWait() {
    pause()
    pause()
    machine.hold()

    let left = control.end()
    machine.areSuspended[0]()

    #expect(left.count == 2 && answers.all.isEmpty)
    #expect(control.end().isEmpty)
    #expect(machine.calls == Self.pausing + ["resume", "start time"])
  }

  @Test func aThousandRoundsAreAThousandPauses() {
    machine.isImmediate = true
    for _ in 0..<1000 {
      pause()
      machine.runPosted()
      control.resume()
    }

    #expect(answers.all == Array(repeating: true, count: 1000))
    #expect(machine.calls == (0..<1000).flatMap { _ in Self.pausing + Self.resuming })
  }
}
