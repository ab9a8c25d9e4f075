import Debugger
import DebuggerTesting
import Testing

/// A session whose machine is stopped, and what it answers.
private struct Session {
  let target: FakeTarget
  var session: DebugSession<FakeTarget>

  init(threadCount: Int = 2, memorySize: Int = 256) {
    target = FakeTarget(threadCount: threadCount, memorySize: memorySize)
    session = DebugSession(target: target)
    _ = ask("QStartNoAckMode")
    session.machineStopped(StopEvent(thread: 0, reason: .interrupt))
    _ = session.takeOutput()
  }

  /// The first answer to a packet; nil where there is none.
  mutating func ask(_ text: String) -> String? {
    session.receive(FakeDebugger.packet(text))
    return FakeDebugger.texts(session.takeOutput()).first
  }
}

@Suite struct DebugSessionTests {
  private let memory = String(FakeTarget.memoryStart, radix: 16)

  @Test func theFirstPacketStopsTheMachineAndIsAnsweredThen() {
    let target = FakeTarget()
    var session = DebugSession(target: target)
    session.receive([])
    let before = target.stopCount

    session.receive(FakeDebugger.packet("?"))
    let early = session.takeOutput()
    session.machineStopped(StopEvent(thread: 1, reason: .interrupt))
    let answer = FakeDebugger.texts(session.takeOutput())

    #expect(before == 0 && target.stopCount == 1)
    #expect(early == Array("+".utf8))
    #expect(answer == ["T021f:1100000000000000;20:1100000000000000;thread:2;core:1;"])
  }

  @Test func whatIsSupportedIsToldWithTheSizeOfAPacket() {
    var session = Session()

    let answer = session.ask("qSupported:multiprocess+;swbreak+;hwbreak+")

    #expect(answer?.contains("PacketSize=4000;QStartNoAckMode+;qXfer:features:read+") == true)
    #expect(answer?.contains("vContSupported+") == true)
  }

  @Test func withoutAcknowledgementsNothingIsSentBesideAnswers() {
    var session = Session()

    session.session.receive(FakeDebugger.packet("qAttached"))
    let output = session.session.takeOutput()

    #expect(output.first == UInt8(ascii: "$"))
    #expect(FakeDebugger.texts(output) == ["1"])
  }

  @Test func aDamagedPacketIsAskedForAgainAndAnAnswerIsSentAgain() {
    let target = FakeTarget()
    var session = DebugSession(target: target)
    session.receive(FakeDebugger.packet("qC"))
    session.machineStopped(StopEvent(thread: 0, reason: .interrupt))
    let first = session.takeOutput()

    session.receive("$qC#00".utf8)
    let refusal = session.takeOutput()
    session.receive("-".utf8)
    let again = session.takeOutput()

    #expect(FakeDebugger.texts(first) == ["QC1"])
    #expect(refusal == Array("-".utf8))
    #expect(FakeDebugger.texts(again) == ["QC1"])
  }

  @Test func registersAreReadAndWrittenInTheDescriptionsOrder() {
    var session = Session()
    session.target.registers[.general(1)] = RegisterValue(0x1122_3344_5566_7788)

    let group = session.ask("g") ?? ""
    let one = session.ask("p1")
    let written = session.ask("P20=0807060504030201")
    let counter = session.target.registers[.programCounter]

    #expect(group.utf8.count == 2 * (31 * 8 + 8 + 8 + 4 + 32 * 16 + 4 + 4))
    #expect(group.dropFirst(16).hasPrefix("8877665544332211"))
    #expect(one == "8877665544332211")
    #expect(written == "OK" && counter == RegisterValue(0x0102_0304_0506_0708))
  }

  @Test func aRegisterThatCannotBeReadIsXInTheGroupAndAnErrorAlone() {
    var session = Session()

    let group = session.ask("g") ?? ""
    let alone = session.ask("p41")
    let written = session.ask("P41=" + String(repeating: "0", count: 32))

    #expect(group.dropLast(16).hasSuffix(String(repeating: "x", count: 32)))
    #expect(alone == "E22" && written == "E22")
  }

  @Test(arguments: ["p", "pfff", "pffffffffffffffffff", "p1x", "P1=00", "P1", "Pfff=00", "G00", "Gzz"])
  func registersThatDoNotExistAndValuesOfAnotherSizeAreErrors(packet: String) {
    var session = Session()

    let answer = session.ask(packet)

    #expect(answer == "E22")
  }

  @Test func aWholeGroupIsWritten() {
    var session = Session()
    let size = 31 * 8 + 8 + 8 + 4 + 32 * 16 + 4 + 4
    let digits = String(repeating: "01", count: size)

    // The last vector register cannot be written; all others are.
    let answer = session.ask("G" + digits)

    #expect(answer == "E22")
    #expect(session.target.registers[.vector(0)] == RegisterValue(0x0101_0101_0101_0101, high: 0x0101_0101_0101_0101))
    #expect(session.target.registers[.floatingPointControl] == RegisterValue(0x0101_0101))
  }

  @Test func systemRegistersComeAfterTheOthersByTheirArchitecturesNames() {
    var session = Session()
    session.target.registers[.system(.currentStackEL0)] = RegisterValue(0xABCD)

    let answer = session.ask("p44")
    let description = session.ask("qXfer:features:read:target.xml:0,1fff")

    #expect(answer == "cdab000000000000")
    #expect(description?.first == "m" || description?.first == "l")
    #expect(description?.contains(#"<reg name="x0" bitsize="64""#) == true)
  }

  @Test func theDescriptionComesInPiecesThatMakeOneDocument() {
    var session = Session()
    var text = ""
    while true {
      let piece = session.ask("qXfer:features:read:target.xml:\(String(text.utf8.count, radix: 16)),100") ?? "l"
      text += piece.dropFirst()
      if piece.first == "l" { break }
    }

    #expect(text.hasPrefix("<?xml") && text.hasSuffix("</target>\n"))
    #expect(text.contains(#"<feature name="org.gnu.gdb.aarch64.core">"#))
    #expect(text.contains(#"<feature name="org.gnu.gdb.aarch64.fpu">"#))
    #expect(text.contains(#"<reg name="SCTLR_EL1" bitsize="64" type="int" group="system"/>"#))
    #expect(text.components("<reg name=") == DebugRegister.all.count)
  }

  @Test func memoryIsReadAsFarAsItGoes() {
    var session = Session(memorySize: 16)

    let all = session.ask("m\(memory),4")
    let part = session.ask("mffff80000000000e,8")
    let none = session.ask("mffff800000000010,1")
    let nothing = session.ask("m0,0")
    let huge = session.ask("m\(memory),ffffffffffffffff")
    let binary = session.ask("x\(memory),2")

    #expect(all == "00010203" && part == "0e0f" && none == "E14" && nothing == "")
    #expect(huge == "000102030405060708090a0b0c0d0e0f")
    #expect(binary == "b\u{0}\u{1}")
  }

  @Test func memoryIsWrittenInDigitsAndInBytes() {
    var session = Session(memorySize: 16)

    let digits = session.ask("M\(memory),2:a0a1")
    session.session.receive(PacketWriter.packet("Xffff800000000002,3:".utf8 + [0x23, 0x24, 0x7D]))
    let bytes = FakeDebugger.texts(session.session.takeOutput())
    let probe = session.ask("X0,0:")
    let beyond = session.ask("Mffff80000000000f,2:0102")
    let wrong = session.ask("M\(memory),3:0102")

    #expect(digits == "OK" && bytes == ["OK"] && probe == "OK")
    #expect(session.target.memory.prefix(6) == [0xA0, 0xA1, 0x23, 0x24, 0x7D, 5])
    #expect(beyond == "E14" && wrong == "E22" && session.target.memory[15] == 15)
  }

  @Test func threadsAreListedAndChosen() {
    var session = Session(threadCount: 17)

    let list = session.ask("qfThreadInfo")
    let rest = session.ask("qsThreadInfo")
    let isThere = session.ask("T11")
    let isNot = session.ask("T12")
    let chosen = session.ask("Hg11")
    let register = session.ask("p0")
    let wrong = session.ask("Hg12")
    let name = session.ask("qThreadExtraInfo,2")
    let document = session.ask("qXfer:threads:read::0,1000")

    #expect(list == "m1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,10,11" && rest == "l")
    #expect(isThere == "OK" && isNot == "E22" && chosen == "OK" && wrong == "E22")
    #expect(register == "2000000000000000")
    #expect(name == "764350552031203c263e")
    #expect(document?.contains(#"<thread id="11" core="16">vCPU 16 </thread>"#) == true)
  }

  @Test func breakpointsArePutInAndTakenOut() {
    var session = Session()

    let software = session.ask("Z0,\(memory),4")
    let hardware = session.ask("Z1,1000,4")
    let watch = session.ask("Z2,2000,8")
    let inside = session.target.breakpoints.count
    let removed = ["z0,\(memory),4", "z1,1000,4", "z2,2000,8", "z2,2000,8"].map { session.ask($0) }

    #expect([software, hardware, watch] == ["OK", "OK", "OK"] && inside == 3)
    #expect(removed == ["OK", "OK", "OK", "OK"] && session.target.breakpoints.isEmpty)
  }

  @Test(arguments: [
    ("Z0,1000,4", "E14"), ("Z1,1002,4", "E22"), ("Z2,1001,8", "E22"), ("Z5,1000,4", "E22"), ("Z0,,4", "E22"),
    ("Z0,1000", "E22"), ("Z100,1000,4", "E22"), ("Z2,1000,3000", "E22"), ("z9,0,0", "E22"),
  ])
  func whatCannotBeWatchedIsAnError(packet: String, error: String) {
    var session = Session()

    let answer = session.ask(packet)

    #expect(answer == error)
  }

  @Test func thereAreAsManyHardwareBreakpointsAsTheProcessorHas() {
    var session = Session()

    let breakpoints = (0..<5).map { session.ask("Z1,\(String($0 * 4, radix: 16)),4") }
    let watchpoints = (0..<3).map { session.ask("Z3,\(String($0 * 8, radix: 16)),8") }

    #expect(breakpoints == ["OK", "OK", "OK", "OK", "E28"])
    #expect(watchpoints == ["OK", "OK", "E28"])
  }

  @Test func aMillionSoftwareBreakpointsEndInAnErrorAndTakeNoMore() {
    var session = Session(memorySize: 4_000_000)
    func address(_ number: Int) -> UInt64 { FakeTarget.memoryStart + UInt64(number) * 4 }
    var counts = [0, 0]

    for number in 0..<1_000_000 {
      switch session.target.insert(Breakpoint(.software, address: address(number), length: 4), thread: 0) {
      case .done: counts[0] += 1
      case .full: counts[1] += 1
      case .unmapped, .unsupported: break
      }
    }
    let answer = session.ask("Z0,\(String(address(1), radix: 16)),4")
    let another = session.ask("Z0,\(String(address(5000), radix: 16)),4")

    #expect(counts == [BreakpointTable.softwareLimit, 1_000_000 - BreakpointTable.softwareLimit])
    #expect(answer == "OK" && another == "E28")
    #expect(session.target.breakpoints.count == BreakpointTable.softwareLimit)
  }

  @Test func vContGivesEachThreadItsActionAndTheFirstThatFitsCounts() {
    var session = Session(threadCount: 4)

    let supported = session.ask("vCont?")
    let answer = session.ask("vCont;s:2;C05:3;c")
    let actions = session.target.takeResumed()

    #expect(supported == "vCont;c;C;s;S" && answer == nil)
    #expect(actions == [.run, .step, .run, .run])
  }

  @Test func threadsWithoutAnActionStay() {
    var session = Session(threadCount: 3)

    _ = session.ask("vCont;s:2")

    #expect(session.target.takeResumed() == [.stay, .step, .stay])
  }

  @Test(arguments: ["vCont;", "vCont;x", "vCont;s:9", "vCont;s:0", "vCont;c:1:2", "vCont;S", "vCont;s1"])
  func plansThatMakeNoSenseResumeNothing(packet: String) {
    var session = Session()

    let answer = session.ask(packet)

    #expect(answer == "E22" && session.target.resumed == nil)
  }

  @Test func theOldWordsToGoOnDoTheSame() {
    var session = Session()
    _ = session.ask("Hc2")

    _ = session.ask("s")
    let step = session.target.takeResumed()
    session.session.machineStopped(StopEvent(thread: 1, reason: .step))
    _ = session.session.takeOutput()
    _ = session.ask("Hc0")
    _ = session.ask("c1000")
    let run = session.target.takeResumed()

    #expect(step == [.stay, .step] && run == [.run, .run])
    #expect(session.target.registers[.programCounter] == RegisterValue(0x1000))
  }

  @Test func aStopIsToldWithItsReasonOnceTheMachineRuns() {
    var session = Session()
    _ = session.ask("qSupported:swbreak+;hwbreak+")
    var answers: [String] = []
    let watch = Breakpoint(.accessWatch, address: 0x2000, length: 8)

    for reason in [
      StopEvent.Reason.step, .softwareBreakpoint, .hardwareBreakpoint, .watchpoint(watch), .interrupt,
    ] {
      _ = session.ask("vCont;c")
      session.session.machineStopped(StopEvent(thread: 1, reason: reason))
      answers += FakeDebugger.texts(session.session.takeOutput())
    }

    let ends = answers.map { $0.split(separator: ";").last.map(String.init) }
    #expect(ends == ["core:1", "swbreak:", "hwbreak:", "awatch:2000", "core:1"])
    #expect(answers.map { $0.prefix(3) } == ["T05", "T05", "T05", "T05", "T02"])
  }

  @Test func anInterruptStopsAMachineThatRunsAndNoOther() {
    var session = Session()
    let before = session.target.stopCount
    session.session.receive([0x03])
    let whileStopped = session.target.stopCount
    _ = session.ask("vCont;c")

    session.session.receive([0x03])

    #expect(whileStopped == before && session.target.stopCount == before + 1)
  }

  @Test func whoSendsAheadWithoutEndIsSentAway() {
    var session = Session()
    _ = session.ask("vCont;c")
    let packet = FakeDebugger.packet("m0,4")

    for _ in 0..<100_000 where session.session.end == nil { session.session.receive(packet) }

    #expect(session.session.end == .flooded)
  }

  @Test func packetsThatWereSentAheadAreAnsweredInTheirOrder() {
    var session = Session()
    _ = session.ask("vCont;c")
    session.session.receive(FakeDebugger.packet("qAttached") + FakeDebugger.packet("qC"))
    let early = session.session.takeOutput()

    session.session.machineStopped(StopEvent(thread: 1, reason: .step))

    let answers = FakeDebugger.texts(session.session.takeOutput())
    #expect(early.isEmpty && answers.count == 3 && answers.dropFirst() == ["1", "QC2"])
  }

  @Test func theMachinesEndIsToldToWhoWaitsForIt() {
    var waiting = Session()
    var other = Session()
    _ = waiting.ask("vCont;c")

    waiting.session.machineEnded(.exited(7))
    other.session.machineEnded(.exited(7))
    var killed = Session()
    _ = killed.ask("c")
    killed.session.machineEnded(.killed(15))

    #expect(FakeDebugger.texts(waiting.session.takeOutput()) == ["W07"] && waiting.session.end == .machineEnded)
    #expect(other.session.takeOutput().isEmpty && other.session.end == .machineEnded)
    #expect(FakeDebugger.texts(killed.session.takeOutput()) == ["X0f"])
  }

  @Test func leavingAndKillingEndTheSession() {
    var leaving = Session()
    var killing = Session()
    var old = Session()

    let left = leaving.ask("D")
    let killed = killing.ask("vKill;1")
    let silent = old.ask("k")

    #expect(left == "OK" && leaving.session.end == .detached)
    #expect(killed == "OK" && killing.session.end == .killed)
    #expect(silent == nil && old.session.end == .killed)
  }

  @Test func monitorGetsItsWordsAndItsTextGoesToThePerson() {
    var session = Session()

    session.session.receive(FakeDebugger.packet("qRcmd,696e666f2020616c6c"))

    let answers = FakeDebugger.texts(session.session.takeOutput())
    #expect(session.target.words == ["info", "all"])
    #expect(answers == ["O686561726420320a", "OK"])
  }

  @Test(arguments: ["vMustReplyEmpty", "vFlashErase:0,1", "qTStatus", "!", "R00", "QNonStop:1", "", "\u{0}", "ü"])
  func whatIsNotKnownGetsTheEmptyAnswer(packet: String) {
    var session = Session()

    let answer = session.ask(packet)

    #expect(answer == "")
  }
}

extension String {
  /// How often a text stands in it.
  fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}
