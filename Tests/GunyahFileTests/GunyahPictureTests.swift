import Gunyah
import GunyahFile
import Testing

@Suite("Pictures of Gunyah's transcripts")
struct GunyahPictureTests {
  @Test("each machine and the manager have a column, and who asks has an arrow to whom")
  func picture() {
    #expect(
      GunyahPicture.lines(Session.lines, width: 80) == [
        " time/us  a           a/128       manager",
        "   2.000  |---------------------->|        VM_ALLOCATE vmid=0",
        "   3.250  |<----------------------|        VM_ALLOCATE vmid=128",
        "   9.000  x           |           |        msgq_recv MSGQUEUE_EMPTY  (2 times)",
        "  12.000  |---------------------->|        VM_START vmid=128",
        "  12.345  |x----------------------|        VM_START VM_STATE",
        "1000.001  |<~~~~~~~~~~~~~~~~~~~~~~|        VM_STATUS vmid=128 state=RUNNING os=…",
        "1000.100  |==========>|           |        msgq_send 2 bytes",
        "1000.200  |..........>|           |        msgq_recv 2 bytes",
        "1000.300  |==========>|           |        bell_send 0x10",
        "1000.400  *           |           |        hyp_identify",
      ]
    )
  }

  @Test("a pattern that comes again is drawn once and counted, and what differs is not")
  func patterns() {
    var lines: [GunyahLine] = []
    for round in 0..<5 as Range<UInt64> {
      let time = 1000 * round
      lines += [
        Session.call(2 * round, time, .messageQueueSend, [1, 2, 0, 0], [1], bytes: [1, 2], peer: 4),
        Session.call(
          2 * round + 1,
          time + 500,
          .messageQueueReceive,
          [2, 0, 240],
          [2, 0],
          bytes: [1, 2],
          peer: 3,
          name: "b",
          machine: 4
        ),
      ]
    }
    lines.append(Session.call(10, 9000, .messageQueueSend, [1, 2, 0, 0], result: 61, peer: 4))

    #expect(
      GunyahPicture.lines(lines, width: 80) == [
        "time/us  a           b",
        "  0.000  |==========>|  msgq_send 2 bytes",
        "  0.500  |..........>|  msgq_recv 2 bytes",
        "  4.500  |           |  … these 2 lines 5 times in all",
        "  9.000  |==========x|  msgq_send MSGQUEUE_FULL",
      ]
    )
  }

  @Test("machines that say nothing themselves have columns by their numbers, and long names are cut")
  func columns() {
    let name = String(repeating: "n", count: 30)
    let lines = [Session.call(0, 0, .doorbellSend, [1, 1], [0], peer: 9, name: name)]

    #expect(GunyahPicture.lines(lines)[0] == "time/us  nnnnnnnnnnnnnnn…  vm 9")
  }

  /// Machines that the first one rings, each of them twice, and that look each time.
  private static func rings(_ machines: [UInt16]) -> [GunyahLine] {
    var lines: [GunyahLine] = []
    func add(_ call: Hypercall, _ name: String, _ machine: UInt16, _ peer: UInt16) {
      let number = UInt64(lines.count)
      lines.append(Session.call(number, 1000 * number, call, [1, 1], [1], peer: peer, name: name, machine: machine))
    }
    for machine in machines {
      add(.doorbellSend, "a", 3, machine)
      add(.doorbellReceive, "a/\(machine)", machine, 3)
    }
    return lines
  }

  @Test("lines that are missing are told in their place")
  func gaps() {
    var lines = Self.rings([128])
    lines[1].sequence = 8

    #expect(
      GunyahPicture.lines(lines, width: 80) == [
        "time/us  a           a/128",
        "  0.000  |==========>|      bell_send 0x1",
        "  1.000  |           |      … 7 lines are missing here",
        "  1.000  |..........>|      bell_receive 0x1",
      ]
    )
  }

  @Test("columns stand closer where there is no room otherwise")
  func narrowColumns() {
    let lines = Self.rings([128, 129, 130, 131])

    let picture = GunyahPicture.lines(lines, width: 72)

    #expect(picture[0] == "time/us  a       a/128   a/129   a/130   a/131")
    #expect(picture.count == 9 && picture.allSatisfy { $0.count <= 72 })
  }

  @Test("without room for all, who is not seen any more leaves the column to another one, under a new heading")
  func sharedColumns() {
    let lines = Self.rings([128, 129, 130])

    #expect(
      GunyahPicture.lines(lines, width: 48) == [
        "time/us  a       a/128",
        "  0.000  |======>|      bell_send 0x1",
        "  1.000  |......>|      bell_receive 0x1",
        "         a       a/129",
        "  2.000  |======>|      bell_send 0x1",
        "  3.000  |......>|      bell_receive 0x1",
        "         a       a/130",
        "  4.000  |======>|      bell_send 0x1",
        "  5.000  |......>|      bell_receive 0x1",
      ]
    )
  }

  @Test("who has no column is told, with the lines that are left out, and a machine that talks to it has a mark")
  func leftOut() {
    let lines = Self.rings([128, 129, 128, 129])

    #expect(
      GunyahPicture.lines(lines, width: 48) == [
        "time/us  a       a/128",
        "  0.000  |======>|      bell_send 0x1",
        "  1.000  |......>|      bell_receive 0x1",
        "  2.000  *       |      with a/129: bell_send 0…",
        "  4.000  |======>|      bell_send 0x1",
        "  5.000  |......>|      bell_receive 0x1",
        "  6.000  *       |      with a/129: bell_send 0…",
        "… no room for 1 machine, and 2 lines of theirs",
        "  are left out; choose machines, or give more",
        "  width. Without a column: a/129",
      ]
    )
  }

  @Test("what is chosen has columns before its peers")
  func chosen() {
    let lines = Self.rings([128, 129, 128, 129])

    let picture = GunyahPicture.lines(lines, width: 60) { $0.name == "a/129" }

    #expect(
      picture == [
        "time/us  a           a/129", "  3.000  |..........>|      bell_receive 0x1  (2 times)",
      ]
    )
  }

  @Test("whatever the width and the number of machines, no line is wider", arguments: [1, 5, 20, 60] as [UInt16])
  func widths(count: UInt16) {
    let machines = Array(128..<128 + count)
    for width in [60, 80, 100, 200] {
      for lines in [Self.rings(machines), Self.rings(machines + machines)] {
        let picture = GunyahPicture.lines(lines, width: width)
        #expect(picture.allSatisfy { $0.count <= width }, "\(width)")
      }
    }
  }

  @Test("a transcript of nothing is a heading")
  func nothing() {
    #expect(GunyahPicture.lines([]) == ["time/us"])
  }
}
