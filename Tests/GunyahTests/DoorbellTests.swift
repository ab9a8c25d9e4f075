import Gunyah
import Testing

@Suite("Doorbells")
struct DoorbellTests {
  private typealias Sent = Doorbell.Sent

  @Test("a send tells the flags that were set before, and a receive those that are")
  func flagsAddUp() throws {
    var bell = Doorbell(trigger: .edge)

    #expect(try bell.send(1) == Sent(oldFlags: 0, line: .pulse))
    #expect(try bell.send(6) == Sent(oldFlags: 1, line: .pulse))
    #expect(try bell.receive(clearing: 2) == 7)
    #expect(try bell.receive(clearing: .max) == 5)
    #expect(bell.flags == 0)
  }

  @Test("statement 8: to send or to clear no flag is 1")
  func noFlagIsNothing() {
    var bell = Doorbell(trigger: .edge)

    #expect(throws: GunyahError.argumentInvalid) { try bell.send(0) }
    #expect(throws: GunyahError.argumentInvalid) { try bell.receive(clearing: 0) }
  }

  @Test("statement 8: a masked edge fires at every send")
  func maskedEdgeFires() throws {
    var bell = Doorbell(trigger: .edge)

    #expect(bell.mask(enable: 0, acknowledge: 0) == .unchanged)

    #expect(try bell.send(1).line == .pulse)
    #expect(try bell.send(1).line == .pulse)
  }

  @Test("statement 8: an acknowledged flag is cleared by its interrupt, so that a receive gets nothing")
  func acknowledgedFlagIsCleared() throws {
    var bell = Doorbell(trigger: .edge)
    _ = bell.mask(enable: 1, acknowledge: 1)

    #expect(try bell.send(1) == Sent(oldFlags: 0, line: .pulse))

    #expect(try bell.receive(clearing: 1) == 0)
  }

  @Test("statement 8: a level that acknowledges is one interrupt per send")
  func acknowledgingLevelFallsByItself() throws {
    var bell = Doorbell(trigger: .level)
    _ = bell.mask(enable: 1, acknowledge: 1)

    for _ in 0..<3 {
      #expect(try bell.send(1) == Sent(oldFlags: 0, line: .raise))
      #expect(!bell.isAsserted)
    }
  }

  @Test("a level is up until its flags are received, which the end of an interrupt finds")
  func levelHolds() throws {
    var bell = Doorbell(trigger: .level)

    #expect(try bell.send(3).line == .raise)
    _ = try bell.receive(clearing: 1)
    #expect(bell.isAsserted)
    _ = try bell.receive(clearing: 2)
    #expect(!bell.isAsserted)
  }

  @Test("a masked level stays down, and its flag stays though it is one to acknowledge")
  func maskedLevelIsSilent() throws {
    var bell = Doorbell(trigger: .level)
    _ = bell.mask(enable: 2, acknowledge: 1)

    #expect(try bell.send(1).line == .unchanged)

    #expect(try bell.receive(clearing: 1) == 1)
  }

  @Test("a mask takes a level down that it disables, and up again, acknowledging")
  func maskMovesLevel() throws {
    var bell = Doorbell(trigger: .level)
    _ = try bell.send(3)

    #expect(bell.mask(enable: 4, acknowledge: 0) == .lower)
    #expect(bell.mask(enable: 8, acknowledge: 0) == .unchanged)
    #expect(bell.mask(enable: 1, acknowledge: 1) == .raise)
    #expect(bell.flags == 2)
    #expect(bell.mask(enable: 2, acknowledge: 0) == .raise)
    #expect(bell.mask(enable: 3, acknowledge: 2) == .unchanged)
    #expect(bell.flags == 0)
  }

  @Test("a mask that enables a flag which is set is an edge")
  func maskPulsesEdge() throws {
    var bell = Doorbell(trigger: .edge)
    _ = bell.mask(enable: 0, acknowledge: 0)
    _ = try bell.send(1)

    #expect(bell.mask(enable: 1, acknowledge: 0) == .pulse)
    #expect(bell.mask(enable: 0, acknowledge: 0) == .unchanged)
  }

  @Test("a reset puts all back", arguments: [(Doorbell.Trigger.edge, Doorbell.Line.unchanged), (.level, .lower)])
  func resetPutsBack(trigger: Doorbell.Trigger, line: Doorbell.Line) throws {
    var bell = Doorbell(trigger: trigger)
    _ = bell.mask(enable: 5, acknowledge: 4)
    _ = try bell.send(.max)

    #expect(bell.reset() == line)

    #expect(bell == Doorbell(trigger: trigger))
    #expect(bell.enableMask == .max && bell.acknowledgeMask == 0)
  }
}
