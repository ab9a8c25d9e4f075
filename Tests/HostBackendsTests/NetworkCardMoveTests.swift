import CHost
import Glibc
import Host
import Logging
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import HostBackends

/// A card whose guest goes on in another machine.
@Suite(.timeLimit(.minutes(5))) struct NetworkCardMoveTests {
  /// VIRTIO_NET_S_LINK_UP and _ANNOUNCE in the status field (virtio 1.3, 5.1.4).
  private static let (isUp, announce): (UInt64, UInt64) = (1, 2)
  private static let mac: [UInt8] = [0x52, 0x54, 0, 1, 2, 3]

  /// A card on a socket whose other end nobody reads.
  private func card(_ loop: EventLoop) throws -> NetworkCard {
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    // SAFETY: the call writes both variables and keeps neither.
    _ = unsafe chost_stream_pair(&ours, &theirs)
    return try NetworkCard(
      .descriptor(theirs),
      name: "network0",
      mtu: nil,
      loop: loop,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      cannotServe: { _ in }
    )
  }

  private func status(_ fixture: DeviceFixture) -> UInt64 {
    fixture.machine.readRegister(Register.configuration + 6, width: 2)
  }

  /// The guest of `fixture` in a machine with `card`, paused.
  private func move(_ fixture: DeviceFixture, to card: NetworkCard, isCableIn: Bool = true) throws -> DeviceFixture {
    fixture.machine.transport.beginSuspension {}
    let (state, own) = fixture.machine.transport.takeState()
    let other = try TestMachine(card.makeDevice(mac: Self.mac), thread: ImmediateThread())
    other.transport.beginSuspension {}
    try other.transport.putState(state, own) {}
    card.move(isCableIn: isCableIn)
    return DeviceFixture(fixture, goingOnIn: other)
  }

  private func run(_ loop: EventLoop, milliseconds: UInt64) throws {
    let timer = try HostTimer()
    _ = try loop.add(timer.rawValue, EventLoop.readable, ClosureHandler { [unowned loop] _ in loop.stop() })
    timer.arm(after: milliseconds * 1_000_000)
    try loop.run()
    loop.remove(timer.rawValue)
  }

  @Test func linkGoesDownAndComesUpBehindThePauseAndTheGuestIsToAnnounceItself() throws {
    let loop = try EventLoop()
    let (first, second) = (try card(loop), try card(loop))
    let fixture = try DeviceFixture(first.makeDevice(mac: Self.mac))
    #expect(status(fixture) == Self.isUp)

    let other = try move(fixture, to: second)
    try run(loop, milliseconds: 100)
    let paused = status(other)
    other.machine.transport.endSuspension()
    second.goOn()
    let edges = other.machine.line.count
    let down = status(other)
    try run(loop, milliseconds: 200)

    #expect(paused == 0 && down == 0)
    #expect(status(other) == Self.isUp | Self.announce)
    #expect(other.machine.line.count > edges)
    // The guest acknowledges the wish.
    var driver = other
    driver.machine.store([3, 0, 0xFF], at: driver.scratch)
    driver.request(
      [.init(driver.scratch, 2, isWritable: false), .init(driver.scratch + 2, 1, isWritable: true)],
      to: 2
    )
    #expect(driver.machine.load8(driver.scratch + 2) == 0 && status(driver) == Self.isUp)
    first.shutDown()
    second.shutDown()
  }

  @Test func linkStaysDownUntilTheGuestHasSeenIt() throws {
    let loop = try EventLoop()
    let (first, second) = (try card(loop), try card(loop))
    let fixture = try DeviceFixture(first.makeDevice(mac: Self.mac))

    let other = try move(fixture, to: second)
    other.machine.transport.endSuspension()
    second.goOn()
    try run(loop, milliseconds: 300)
    let seen = status(other)
    try run(loop, milliseconds: 200)

    #expect(seen == 0)
    #expect(status(other) == Self.isUp | Self.announce)
    first.shutDown()
    second.shutDown()
  }

  @Test func cableThatItsOwnerHadPulledStaysOut() throws {
    let loop = try EventLoop()
    let (first, second) = (try card(loop), try card(loop))
    let fixture = try DeviceFixture(first.makeDevice(mac: Self.mac))
    first.setCable(isIn: false)

    let other = try move(fixture, to: second, isCableIn: first.isCableIn)
    other.machine.transport.endSuspension()
    second.goOn()
    try run(loop, milliseconds: 200)
    let out = status(other)
    second.setCable(isIn: true)

    #expect(out == 0 && status(other) == Self.isUp)
    first.shutDown()
    second.shutDown()
  }

  @Test func bootThatEndsDuringAMoveLeavesTheNextOneALinkThatIsUp() throws {
    let loop = try EventLoop()
    let (first, second) = (try card(loop), try card(loop))
    let fixture = try DeviceFixture(first.makeDevice(mac: Self.mac))
    _ = try move(fixture, to: second)
    second.goOn()
    second.release()

    let next = try DeviceFixture(second.makeDevice(mac: Self.mac))
    try run(loop, milliseconds: 200)

    #expect(status(next) == Self.isUp)
    first.shutDown()
    second.shutDown()
  }
}
