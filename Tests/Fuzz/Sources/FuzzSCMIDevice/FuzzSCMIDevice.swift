internal import FuzzSupport
internal import SCMI
internal import SCMIFile
internal import SCMIFuzzing
internal import VirtioDevices
internal import VirtioTesting

private let clock = ManualClock()
private let platform = makePlatform()
private let thread = ImmediateThread()
private let ends = SCMIEnds(platform, agent: 0, thread: thread)
private let program = DriverProgram(ends.device, thread)

private func makePlatform() -> SharedPlatform {
  guard let platform = try? SCMIPlatform(SCMIFuzzing.definition) else {
    preconditionFailure("the fuzzer's platform is valid")
  }
  return SharedPlatform(platform) { clock.now }
}

/// Mistakes that change when and whether a reply comes.
private let mistakes: [Misbehaviour] = [
  .late(1_000), .dropped, .never, .duplicated, .outOfOrder(2_000), .long(200), .short(1), .delayedBeforeReply(500),
]

/// What happens on the host: time passes, the other agent asks, the platform changes, a rule comes and goes.
private func host(_ event: UInt8) {
  switch event % 5 {
  case 0:
    clock.now += UInt64(event) * 100
    if let deadline = ends.timer.deadline, deadline <= clock.now { _ = ends.device.timerFired() }
  case 1:
    let request = SCMIMessage(
      header: MessageHeader(ClockProtocol.Message.rateSet),
      payload: [0, 0, 1_000 * UInt32(event % 4), 0]
    )
    var reply = SCMIMessage(header: request.header)
    _ = platform.handle(bytes: request.bytes.span, from: 1, ticket: 0, reply: &reply)
  case 2: _ = platform.change { $0.setSensor("scalar", values: [Int64(event)], at: $1) }
  case 3:
    let rule = MisbehaviourRule("fuzz", mistakes[Int(event >> 3) % mistakes.count]) { $0.times = 3 }
    platform.change { platform, _ in _ = platform.addRule(rule) }
  default: platform.change { platform, _ in platform.removeRules(named: "fuzz") }
  }
}

private func fuzzSCMIDevice(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  unsafe program.run(ByteReader(start, count), host: host)
  platform.change { platform, _ in platform.removeRules(named: "fuzz") }
  return 0
}

@main
private enum FuzzSCMIDevice {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzSCMIDevice)
  }
}
