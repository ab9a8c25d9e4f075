import Apus
import ApusTesting
import Gunyah
import GunyahFile
import GunyahSupport
import TestSupport
import Testing

@Suite("Gunyah's transcripts on KVM", .requiresKVM, .ownThread)
struct GunyahTranscriptTests {
  @Test("a run's transcript has each call and message of both machines, in order, and decodes")
  func transcript() async throws {
    let folder = try TemporaryFolder()
    let gic = KVMHost.interruptControllers[0]
    let tree = try SecondaryPuppet.tree(cpus: 1, gic: gic, devices: [.init("queue", "message-queue-pair", label: 7)])
    let message: [UInt8] = [1, 2, 3, 4, 5]
    let run = try await GunyahMachine.boot(
      gic: gic,
      trees: [tree],
      configure: { configuration in
        configuration.name = "owner"
        configuration.gunyahTranscript = folder.path("calls")
      },
      { puppet, _ in
        let client = try await RMClient(puppet)
        let secondary = try await SecondaryPuppet(client, memory: GunyahMachine.memory)
        let other = try await secondary.start(client)
        let queue = try #require(secondary.resource(.messageQueueSender, 7)).capability
        _ = try await puppet.send(message, to: queue)
        _ = try await puppet.call(0xC600_8077)
        let theirs = try #require(await GunyahCallTests.pair(other, label: 7))
        #expect(try await other.receive(from: theirs.capabilities[1], milliseconds: 1_000).message == message)
      }
    )

    let lines = try GunyahLine.lines(try #require(folder.read("calls")))
    let calls = lines.compactMap { line in
      if case .call(let call) = line.record.content { (line.name, call) } else { nil }
    }
    let messages = lines.compactMap { line in
      if case .message(let message) = line.record.content { message } else { nil }
    }
    #expect(lines.map(\.sequence) == Array(0..<UInt64(lines.count)))
    #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.record.time <= $1.record.time })
    let sent = try #require(calls.first { $0.1.bytes == message && $0.1.call == .hypercall(.messageQueueSend) })
    let received = try #require(calls.first { $0.1.bytes == message && $0.1.call == .hypercall(.messageQueueReceive) })
    let other = try #require(received.1.peer.map { _ in sent.1.peer } ?? nil)
    #expect(sent.0 == "owner" && received.0 == "owner/\(other)")
    #expect(received.1.peer == VMID.primary.rawValue && VMID.dynamic.contains(other))
    #expect(calls.contains { $0.1.number == 0xC600_8077 && $0.1.error == .unimplemented })
    let allocation = messages.filter { $0.identifier == MessageID.allocate.rawValue }
    #expect(allocation.map(\.kind) == [.request, .reply])
    #expect(messages.contains { $0.identifier == MessageID.start.rawValue && $0.kind == .reply })
    #expect(run.report.gunyah?.calls == UInt64(calls.count { $0.0 == "owner" }))
    #expect(GunyahPicture.lines(lines).count < lines.count)
  }
}
