import CHost
import GuestMemory
import Host
import Testing
import VhostUserTesting
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// Connects to a server's socket.
private final class SocketConnector: VhostUserConnector {
  let subject = "the server"
  private let path: String

  init(_ path: String) {
    self.path = path
  }

  func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    // SAFETY: the path holds for the call.
    let number = unsafe chost_socket_connect(path, 1000)
    guard number >= 0 else { throw .host("nobody listens") }
    return VhostUserSocket(owning: number)
  }

  func disconnect(_ error: VhostUserError) -> VhostUserEnd { VhostUserEnd(error: error, isDead: true) }
}

/// Apus's front-end and Apus's back-end with each other.
@Suite struct BothEndsTests {
  @Test(arguments: [VhostUserMode.inPlace, .bounced])
  func aDriverOfTheOneIsServedByTheOtherOverManyStarts(mode: VhostUserMode) throws {
    let server = try RunningServer()
    let thread = try PumpedThread()
    let link = try VhostUserLink(SocketConnector(server.path), configurationSize: 8)
    let offer = try link.open()
    try link.begin()
    let profile = VhostUserProfile(
      identifier: .entropy,
      features: [],
      configurationSize: 8,
      queueCount: 1,
      queueSize: 64,
      loss: .resubmit
    )
    let device = try VhostUserDevice(
      name: "test",
      profile,
      offer: offer,
      mode: mode,
      link: link,
      loop: thread.loop,
      thread: thread
    ) { _ in }
    defer {
      device.release()
      link.close()
    }
    let machine = try TestMachine(device, thread: thread)
    #expect(device.configuration.bytes == [1, 2, 3, 4, 5, 6, 7, 8])

    for round in 1...3 as ClosedRange<UInt8> {
      var queue = DriverQueue(machine, index: 0, size: 64, at: machine.windowStart)
      let place = (queue.end + 0xFFF) & ~0xFFF
      #expect(machine.driver.negotiate(machine.driver.offeredFeatures))
      #expect(machine.driver.enable(queue))
      machine.driver.start()
      for request in 0..<20 as Range<UInt8> {
        machine.store([round, request, 3], at: place)
        queue.writeChain([.init(place, 3, isWritable: false), .init(place + 0x800, 64, isWritable: true)])
        queue.offer(0)
        _ = machine.transport.kick(queue: 0)
        var used: DriverQueue<TestMachine>.Used?
        thread.pump {
          used = queue.takeUsed()
          return used != nil
        }
        #expect(used == .init(head: 0, written: 3))
        #expect(machine.bytes(at: place + 0x800, count: 3) == [3, request, round])
      }
      machine.driver.reset()
    }
    #expect(machine.faults == [])
  }
}
