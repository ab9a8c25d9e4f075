import Gunyah
import GunyahFile
import GunyahTesting
import TestSupport
import Testing

@Suite("Lines of Gunyah's transcripts")
struct GunyahLineTests {
  private let call =
    #"{"sequence":0,"time":1500,"machine":"a","vmid":3,"vcpu":0,"kind":"call","number":"0xc600801b","#
    + #""name":"msgq_send","arguments":["0xabc","0xc","0x44000000","0x1"],"result":"0x0","outputs":["0x1"],"#
    + #""peer":255,"bytes":"000102030405060708090a0b"}"#
  private let reply =
    #"{"sequence":6,"time":12345,"machine":"a","vmid":3,"kind":"reply","direction":"from-manager","#
    + #""id":"0x56000004","name":"VM_START","token":7,"error":"VM_STATE","fields":{"error":20},"raw":"14000000"}"#

  @Test("a call and a message have their names, numbers and bytes in JSON")
  func json() {
    #expect(Session.lines[0].json == call)
    #expect(Session.lines[6].json == reply)
  }

  @Test("what was written reads back, with empty lines between")
  func readsBack() throws {
    let text = Session.lines.map(\.json).joined(separator: "\n\n") + "\r\n"

    #expect(try GunyahLine.lines(Array(text.utf8)) == Session.lines)
  }

  @Test("a line counts with its numbers and bytes alone")
  func namesAreForReaders() throws {
    let text =
      #"{"sequence":6,"time":12345,"machine":"a","vmid":3,"kind":"reply","direction":"from-manager","#
      + #""id":"0x56000004","name":"VM_STOP","token":7,"error":"OK","raw":"14000000","other":[1]}"#

    #expect(try GunyahLine.lines(Array(text.utf8)) == [Session.lines[6]])
  }

  @Test(
    "a line that is none is told with its number and what is wrong",
    arguments: [
      ("{", "it is cut, as where its writer was ended (column 2: "), ("{,}", "column 2: "),
      ("[]", "expected an object, as each line of a transcript is"),
      (#"{"kind":"request","sequence":0,"time":0,"agent":1}"#, "give the file to 'apus scmi decode'"),
      (#"{"kind":"call"}"#, "expected sequence, time, machine and vmid"),
      (#"{"kind":"x","sequence":0,"time":0,"machine":"a","vmid":1}"#, "expected the kind call, request, reply"),
      (#"{"kind":"call","sequence":0,"time":0,"machine":"a","vmid":65536}"#, "expected sequence, time"),
      (#"{"kind":"call","sequence":0,"time":0,"machine":"a","vmid":1,"vcpu":-1}"#, "expected a number from 0 in vcpu"),
      (#"{"kind":"call","sequence":0,"time":0,"machine":"a","vmid":1,"number":5}"#, "hexadecimal digits in number"),
      (
        #"{"kind":"call","sequence":0,"time":0,"machine":"a","vmid":1,"number":"0x5","arguments":[1]}"#,
        "hexadecimal digits in arguments"
      ),
      (#"{"kind":"reply","sequence":0,"time":0,"machine":"a","vmid":1}"#, "expected the direction"),
      (
        #"{"kind":"reply","sequence":0,"time":0,"machine":"a","vmid":1,"direction":"to-manager","id":"0x100000000"}"#,
        "expected an id of 32 bits"
      ),
      (
        #"{"kind":"reply","sequence":0,"time":0,"machine":"a","vmid":1,"direction":"to-manager","id":"0x1","token":1,"#
          + #""raw":"0"}"#, "expected at most 14616 bytes in hexadecimal digits in raw"
      ),
      (#"{"kind":[[[[[[[[1]]]]]]]]}"#, "nested more than 8 deep"),
    ]
  )
  func mistakes(line: String, message: String) {
    let text = call + "\n\n" + line

    let error = #expect(throws: GunyahLineError.self) { try GunyahLine.lines(Array(text.utf8)) }

    #expect(error?.line == 3)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test("of a transcript whose last line is cut the others are read")
  func cut() {
    let text = call + "\n" + reply.prefix(70)

    let error = #expect(throws: GunyahLineError.self) { try GunyahLine.lines(Array(text.utf8)) }

    #expect(error?.before == [Session.lines[0]])
    #expect(error?.description.hasPrefix("line 2: it is cut") == true, "\(error?.description ?? "")")
  }

  @Test("lines that are missing are told in their place, and together where nothing between them is told")
  func gaps() {
    let lines = [0, 3, 4, 9, 11].map { Session.call($0, 1000 * $0, .identify, []) }

    let text = GunyahLine.text(lines) { $0.sequence != 9 }

    #expect(text.count == 6)
    #expect(text[1] == "… 2 lines are missing here")
    #expect(text[4] == "… 5 lines are missing here")
  }

  @Test("a name, a number of registers and a message have their limits")
  func limits() {
    let long = String(repeating: "a", count: GunyahLine.nameLimit + 1)
    let wide = Session.call(0, 0, .identify, Array(repeating: 0, count: 18))
    let fat = Session.call(0, 0, .messageQueueSend, [], bytes: Array(repeating: 0, count: 1024))
    for line in [Session.call(0, 0, .identify, [], name: long), wide, fat] {
      #expect(throws: GunyahLineError.self) { try GunyahLine.lines(Array(line.json.utf8)) }
    }
  }

  @Test("for people there are columns, errors and states by name, and microseconds")
  func text() {
    #expect(
      GunyahLine.text(Session.lines) == [
        "   1.500 us  a      cpu0  msgq_send cap=0xabc size=12 address=0x44000000 flags=1: OK not_full=1, peer manager, "
          + "12 bytes 000102030405060708090a0b",
        "   2.000 us  a            -> VM_ALLOCATE 7 vmid=0",
        "   3.250 us  a            <- VM_ALLOCATE 7 OK vmid=128",
        "   9.000 us  a      cpu0  msgq_recv cap=0xabd address=0x44000000 max_size=240: MSGQUEUE_EMPTY, peer manager",
        "   9.100 us  a      cpu0  msgq_recv cap=0xabd address=0x44000000 max_size=240: MSGQUEUE_EMPTY, peer manager",
        "  12.000 us  a            -> VM_START 7 vmid=128",
        "  12.345 us  a            <- VM_START 7 VM_STATE",
        "1000.001 us  a            <~ VM_STATUS vmid=128 state=RUNNING os=1 app=0",
        "1000.100 us  a      cpu0  msgq_send cap=0xac0 size=2 address=0x44000000 flags=0: OK not_full=1, peer vm 128, "
          + "2 bytes 0102",
        "1000.200 us  a/128  cpu0  msgq_recv cap=0xf address=0x40300000 max_size=240: OK size=2 not_empty=0, peer vm 3, "
          + "2 bytes 0102",
        "1000.300 us  a      cpu0  bell_send cap=0xac1 new_flags=16: OK old_flags=0, peer vm 128",
        "1000.400 us  a      cpu0  hyp_identify: 0x4800000000008001 flags0=2150 flags1=0 flags2=0",
      ]
    )
  }

  @Test("of long lists and messages the beginning is shown")
  func longTexts() {
    let bytes = [UInt8](repeating: 0xAB, count: 100)
    let call = Session.call(0, 0, .messageQueueSend, [1, 100, 0, 0], [1], bytes: bytes)
    var reply: [UInt8] = [0, 0, 0, 0, 9, 0, 0, 0]
    for vmid in 0..<9 as Range<UInt8> { reply += [vmid, 0, 0, 0] }
    let lines = GunyahLine.text([call, Session.message(1, 0, .reply, .getPeers, reply)])

    #expect(lines[0].hasSuffix("100 bytes " + String(repeating: "ab", count: 32) + "…"))
    #expect(lines[1].hasSuffix("VM_GET_PEERS 7 OK vmids=[vmid=0; vmid=1; vmid=2; vmid=3; (5 more)]"))
  }

  @Test("seeds of the fuzz target keep its promises")
  func seeds() {
    for seed in ExerciseTranscript.seeds { ExerciseTranscript.run(seed) }
  }

  @Test(
    "whatever is in a file is read or refused, and whatever was recorded reads back",
    arguments: 0..<4 as Range<UInt64>
  )
  func property(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let seeds = ExerciseTranscript.seeds
    for _ in 0..<Effort.cases(200) {
      var bytes = seeds[Int.random(in: seeds.indices, using: &random)]
      for _ in 0..<Int.random(in: 0..<4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
      }
      ExerciseTranscript.run(bytes)
    }
  }
}
