import Apus
import ApusTesting
import Gunyah
import GunyahSupport
import Testing

@Suite("Gunyah's calls on KVM", .requiresKVM, .ownThread)
struct GunyahCallTests {
  @Test("1: the hypervisor's UID and identity come by HVC and SMC, and every other call is unknown")
  func identity() async throws {
    try await GunyahMachine.boot { puppet, _ in
      for smc in [false, true] {
        let uid = try await puppet.call(0x8600_FF01, smc: smc)
        #expect(Array(uid[..<4]) == [0xCD8F_D5C1, 0xDB5F_53A4, 0x36CE_6592, 0x145F_3D67])
        let identity = try await puppet.call(Call.identify, smc: smc)
        #expect(Array(identity[..<4]) == [0x4800_0000_0000_8001, 0x866, 0, 0])
        #expect(try await puppet.call(0x8600_FF03, smc: smc)[0] == 0x4800_0000_0000_8001)
        // The hint of a caller without SVE state says nothing of the call.
        #expect(try await puppet.call(0xC601_8000, smc: smc)[1] == 0x866)
        let unknown: [UInt64] = [
          0xC600_801E, 0x8600_8000, 0xC600_FF01, 0xC602_8000, 0x8600_0000, 0x8600_2000, 0x8600_3F01, 0x8600_0005,
          0xC600_BFFF, 0x4600_8000,
        ]
        for number in unknown {
          let result = try await puppet.call(number, 1, 2, 3, 4, smc: smc)
          #expect(result[0] == Call.minusOne, "\(String(number, radix: 16))")
        }
        // PSCI is still the kernel's.
        #expect(try await puppet.call(0x8400_0000, smc: smc)[0] & 0xFFFF_0000 == 0x1_0000)
      }
    }
  }

  @Test("9: capabilities are told apart by existence, kind and rights, and 10⁴ guesses find none")
  func capabilities() async throws {
    try await GunyahMachine.boot { puppet, _ in
      let link = try #require(await puppet.node())
      let (transmit, receive) = (link.capabilities[0], link.capabilities[1])
      #expect(transmit != receive)
      #expect(transmit >> 32 != 0xFFFF_FFFF && receive >> 32 != 0xFFFF_FFFF)
      #expect(try await puppet.call(Call.receive, transmit, GunyahMachine.memory, 240)[0] == 53)
      #expect(try await puppet.call(Call.send, receive, 8, GunyahMachine.memory)[0] == 53)
      #expect(try await puppet.call(Call.flush, transmit)[0] == 53)
      #expect(try await puppet.call(Call.configureSend, receive, 1, .max, .max)[0] == 53)
      #expect(try await puppet.call(Call.bellSend, transmit, 1)[0] == 52)
      #expect(try await puppet.call(Call.vcpuRun, transmit)[0] == 52)
      for guess in [0, 1, .max, transmit ^ 1 << 40, transmit ^ 0x8000] as [UInt64] {
        let error = try await puppet.call(Call.send, guess, 8, GunyahMachine.memory)
        #expect([1, 50].contains(error[0]) && error[1] == 0, "\(guess): \(error)")
      }
      #expect(try await puppet.numbers("hr 1234567 2710", within: .seconds(300))[0] == 0)
    }
  }

  @Test("9: two machines' links have different capabilities, and one's are nothing to the other")
  func machinesDiffer() async throws {
    try await GunyahMachine.bootPair { client, other, _ in
      let theirs = try #require(await other.node())
      #expect(Set(theirs.capabilities + client.link.capabilities).count == 4)
      for capability in theirs.capabilities {
        #expect([1, 50].contains(try await client.puppet.call(Call.send, capability, 8, GunyahMachine.memory)[0]))
      }
      for capability in client.link.capabilities {
        #expect([1, 50].contains(try await other.call(Call.receive, capability, 0x4030_0000, 240)[0]))
      }
    }
  }

  @Test("4: sizes and buffers that cannot be are refused as the documentation says, and nothing moves")
  func wrongBuffers() async throws {
    try await GunyahMachine.bootPair(devices: [.init("queue", "message-queue-pair", label: 7)]) {
      client,
      other,
      machine in
      let queue = try #require(machine.resource(.messageQueueSender, 7)).capability
      let theirs = try #require(await Self.pair(other, label: 7))
      let (puppet, buffer) = (client.puppet, GunyahMachine.memory + 0x80_0000)
      _ = try await puppet.fill(buffer, 0x1000, with: 0x5A)
      #expect(try await puppet.call(Call.send, queue, 0, buffer) == [2, 0, 0, buffer, 0])
      #expect(try await puppet.call(Call.send, queue, 241, buffer)[..<2] == [2, 0])
      #expect(try await puppet.call(Call.send, queue, .max, buffer)[0] == 2)
      // Behind the end of RAM, in a hole, and over the end of all addresses.
      for address in [0x4800_0000, 0x4800_0000 - 8, 0x0B00_0000, 0xFF_FFFF_FFFF] as [UInt64] {
        #expect(try await puppet.call(Call.send, queue, 16, address)[0] == 22, "\(address)")
      }
      #expect(try await puppet.call(Call.send, queue, 16, .max - 7)[0] == 20)
      #expect(try await other.receive(from: theirs.capabilities[1]).error == 60)

      #expect(try await puppet.call(Call.send, queue, 240, buffer)[..<2] == [0, 1])
      let room: UInt64 = 0x4030_0000
      #expect(try await other.call(Call.receive, theirs.capabilities[1], room, 239)[..<3] == [20, 0, 0])
      #expect(try await other.call(Call.receive, theirs.capabilities[1], 0x4800_0000, 240)[0] == 22)
      #expect(try await other.call(Call.receive, theirs.capabilities[1], room, 240)[..<3] == [0, 240, 0])
      #expect(try await other.verify(room, 240, is: 0x5A) == .done(0))
    }
  }

  @Test("5: eight messages fill a queue, the ninth is refused, and the sender hears of the first that is taken")
  func fullQueue() async throws {
    try await GunyahMachine.bootPair(devices: [.init("queue", "message-queue-pair", label: 7)]) {
      client,
      other,
      machine in
      let end = try #require(machine.resource(.messageQueueSender, 7))
      let theirs = try #require(await Self.pair(other, label: 7)).capabilities[1]
      let interrupt = UInt64(end.interrupt)
      try await client.puppet.enable(interrupt: interrupt)
      for number in 0..<8 {
        #expect(try await client.puppet.send([UInt8(number)], to: end.capability) == [0, number < 7 ? 1 : 0])
      }
      #expect(try await client.puppet.send([8], to: end.capability) == [61, 0])
      #expect(try await client.puppet.interrupts(interrupt) == 0)

      for number in 0..<8 {
        let received = try await other.receive(from: theirs)
        #expect(received == .init(error: 0, isNotEmpty: number < 7 ? 1 : 0, message: [UInt8(number)]))
        #expect(try await client.puppet.interrupts(interrupt, reaching: 1, milliseconds: 2000) == 1, "\(number)")
      }
      #expect(try await other.receive(from: theirs).error == 60)
    }
  }

  @Test("6: a receiver's threshold holds its interrupt back, PUSH does not wait, and wrong thresholds are refused")
  func thresholds() async throws {
    try await GunyahMachine.bootPair(devices: [.init("queue", "message-queue-pair", label: 7)]) {
      client,
      other,
      machine in
      let end = try #require(machine.resource(.messageQueueReceiver, 7))
      let theirs = try #require(await Self.pair(other, label: 7)).capabilities[0]
      let (puppet, interrupt) = (client.puppet, UInt64(end.interrupt))
      try await puppet.enable(interrupt: interrupt)
      #expect(try await puppet.call(Call.configureReceive, end.capability, 4, .max, .max)[0] == 0)
      for _ in 0..<3 { _ = try await other.send([1], to: theirs) }
      #expect(try await puppet.interrupts(interrupt, reaching: 1, milliseconds: 100) == 0)
      _ = try await other.send([1], to: theirs)
      #expect(try await puppet.interrupts(interrupt, reaching: 1, milliseconds: 2000) == 1)
      #expect(try await puppet.call(Call.flush, end.capability)[0] == 0)
      _ = try await other.send([1], to: theirs, flags: 1)
      #expect(try await puppet.interrupts(interrupt, reaching: 2, milliseconds: 2000) == 2)

      for threshold in [0, 9] as [UInt64] {
        #expect(try await puppet.call(Call.configureReceive, end.capability, threshold, .max, .max)[0] == 1)
      }
      #expect(try await puppet.call(Call.configureReceive, end.capability, 1, 5, .max)[0] == Call.minusOne)
      #expect(try await puppet.call(Call.configureReceive, end.capability, .max - 1, .max, .max)[0] == 0)
      #expect(try await puppet.call(Call.configureReceive, end.capability, .max, .max, .max)[0] == 0)
      #expect(try await other.call(Call.configureSend, theirs, 8, .max, .max)[0] == 1)
      #expect(try await other.call(Call.configureSend, theirs, 7, .max, .max)[0] == 0)
    }
  }

  @Test("8: an edge doorbell interrupts at each ring, masked or not, and tells the flags that were set")
  func doorbell() async throws {
    let devices: [SecondaryPuppet.Device] = [
      .init("bell", "doorbell-source", label: 3), .init("reverse", "doorbell", label: 4, flags: ["source-can-clear"]),
      .init("plain", "doorbell", label: 5),
    ]
    try await GunyahMachine.bootPair(devices: devices) { client, other, machine in
      let end = try #require(machine.resource(.doorbell, 3))
      let bell = try #require(await Self.node(other, "qcom,gunyah-doorbell-source", label: 3)).capabilities[0]
      let (puppet, interrupt) = (client.puppet, UInt64(end.interrupt))
      try await puppet.enable(interrupt: interrupt)
      #expect(try await other.call(Call.bellSend, bell, 5)[..<2] == [0, 0])
      #expect(try await puppet.interrupts(interrupt, reaching: 1, milliseconds: 2000) == 1)
      #expect(try await other.call(Call.bellSend, bell, 2)[..<2] == [0, 5])
      #expect(try await puppet.interrupts(interrupt, reaching: 2, milliseconds: 2000) == 2)
      #expect(try await puppet.call(Call.bellReceive, end.capability, 0)[..<2] == [1, 0])
      #expect(try await puppet.call(Call.bellReceive, end.capability, 1)[..<2] == [0, 7])
      #expect(try await puppet.call(Call.bellMask, end.capability, 0, 0)[0] == 0)
      #expect(try await other.call(Call.bellSend, bell, 8)[..<2] == [0, 6])
      #expect(try await puppet.interrupts(interrupt, reaching: 3, milliseconds: 2000) == 3)
      #expect(try await puppet.call(Call.bellReset, end.capability)[0] == 0)
      #expect(try await puppet.call(Call.bellMask, end.capability, .max, 1)[0] == 0)
      #expect(try await other.call(Call.bellSend, bell, 1)[0] == 0)
      #expect(try await puppet.call(Call.bellReceive, end.capability, .max)[..<2] == [0, 0])

      // Rights: the source's, with and without clearing, and the receiver's.
      #expect(try await other.call(Call.bellReceive, bell, 1)[0] == 53)
      let clearing = try #require(machine.resource(.doorbellSource, 4)).capability
      let plain = try #require(machine.resource(.doorbellSource, 5)).capability
      #expect(try await puppet.call(Call.bellMask, clearing, 1, 1)[0] == 0)
      #expect(try await puppet.call(Call.bellMask, plain, 1, 1)[0] == 53)
      #expect(try await puppet.call(Call.bellSend, end.capability, 1)[0] == 53)
      #expect(try await puppet.call(Call.send, plain, 8, GunyahMachine.memory)[0] == 52)
    }
  }

  /// A node of a secondary machine's, by its label alone.
  static func node(_ puppet: Puppet, _ model: String, label: UInt64) async throws -> Puppet.Node? {
    var index = 0
    while let node = try await puppet.node(model, index) {
      if node.label == label { return node }
      index += 1
    }
    return nil
  }

  /// The ends of a queue pair, the sending one first.
  static func pair(_ puppet: Puppet, label: UInt64) async throws -> Puppet.Node? {
    try await node(puppet, "qcom,gunyah-message-queue", label: label)
  }
}
