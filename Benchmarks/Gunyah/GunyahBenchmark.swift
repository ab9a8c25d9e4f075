import Apus

/// What machines that find Gunyah take of their host: `GunyahBenchmark PUPPET ECHO`, with two bare-metal guests. Prints
/// lines of the word `gunyah`, a name, and JSON.
///
/// What an operation costs is the difference of two loops of different lengths, in all threads of this program, which
/// waits meanwhile.
@main
enum GunyahBenchmark {
  static func main() async throws {
    // Counters are inherited by threads of the one that opens them.
    try await measure(puppet: CommandLine.arguments[1], echo: CommandLine.arguments[2], Counters())
  }

  private static func measure(puppet: String, echo: String, _ counters: Counters) async throws {
    try await withPuppets(puppet, "slots") { a, b in
      await measureMessages(a, b, counters)
      await measureDoorbell(a, b, counters)
      await measureParcel(a, b, apart: false)
    }
    try await withPuppets(puppet, "slots-apart") { a, b in await measureParcel(a, b, apart: true) }
    for personality in [Configuration.Personality.kvm, .gunyah] {
      let machines = ["c", "d"].map { machine($0, echo, megabytes: 128, personality) }
      let objects = personality == .gunyah ? sharedObjects("c", "d") : GunyahConfiguration()
      let configuration = Fleet.Configuration(machines: machines, gunyah: objects)
      let costs = try await IdleMachines.measure(configuration, counters)
      tell(personality == .gunyah ? "idle" : "idle-plain", costs)
    }
  }

  private static func tell(_ name: String, _ json: String) { print("gunyah \(name) \(json)") }

  private static func machine(
    _ name: String,
    _ path: String,
    megabytes: UInt64,
    _ personality: Configuration.Personality = .gunyah
  ) -> Configuration {
    var configuration = Configuration(payload: .raw(path: path))
    configuration.name = name
    configuration.memorySize = megabytes << 20
    configuration.console = .stream
    configuration.personality = personality
    return configuration
  }

  private static let label: UInt64 = 7
  /// Of queues with room for more messages than is usual.
  private static let deepLabel: UInt64 = 8

  /// Two pairs of queues, and a doorbell.
  private static func sharedObjects(_ source: String, _ receiver: String) -> GunyahConfiguration {
    var gunyah = GunyahConfiguration()
    gunyah.queues = [label, deepLabel].map { .init(label: UInt32($0), machines: [source, receiver]) }
    gunyah.queues[1].depth = 64
    gunyah.doorbells = [.init(label: UInt32(label), source: source, receiver: receiver)]
    return gunyah
  }

  /// Two machines with puppets in them, and how often their slots changed until their end.
  private static func withPuppets(
    _ path: String,
    _ name: String,
    _ body: (Puppet, Puppet) async -> Void
  ) async throws {
    let machines = [machine("a", path, megabytes: 256), machine("b", path, megabytes: 128)]
    let fleet = try Fleet(Fleet.Configuration(machines: machines, gunyah: sharedObjects("a", "b")))
    fleet.start()
    let (a, b) = (await Puppet(fleet.machines[0]), await Puppet(fleet.machines[1]))
    await body(a, b)
    fleet.stop()
    let report = await fleet.report
    tell(name, "\(report.machines.values.reduce(0) { $0 + ($1.gunyah?.slotChanges ?? 0) })")
  }

  private static let messageSize: UInt64 = 240
  /// Memory of a machine's that its puppet does not use.
  private static let memory: UInt64 = 0x4400_0000

  /// Both loops' lengths have as many hexadecimal digits, so that what tells them to the puppets differs in nothing.
  private static func cost(_ name: String, _ counters: Counters, _ loop: (UInt64) async -> Void) async {
    let (few, many) = (0x1000 as UInt64, 0x2000 as UInt64)
    // The first one makes all pages and caches that they use.
    await loop(few)
    var costs: [Counters.Counts] = []
    for count in [few, many] {
      let start = counters.counts
      await loop(count)
      costs.append(counters.counts.since(start))
    }
    let operations = Double(many - few)
    let user = Double(costs[1].user - costs[0].user) / operations
    let kernel = Double(costs[1].kernel - costs[0].kernel) / operations
    // What a console's text takes is no operation's.
    let allocations = (Int64(costs[1].allocations) - Int64(costs[0].allocations)) / Int64(operations)
    tell(name, "{\"user\": \(user), \"kernel\": \(kernel), \"allocations\": \(allocations)}")
  }

  private static func measureMessages(_ a: Puppet, _ b: Puppet, _ counters: Counters) async {
    for (label, name) in [(label, "streamed"), (deepLabel, "streamed-deep")] {
      let (sender, receiver) = (await End(a, label, 0), await End(b, label, 1))
      await cost(name, counters) { count in
        let lines = [await sender.line("mp", count), await receiver.line("md", count)]
        b.tell(lines[1])
        a.tell(lines[0])
        let (sent, received) = (await a.numbers(), await b.numbers())
        precondition(sent[0] == count && sent[2] == 0 && received[0] == count && received[2] == 0)
      }
    }
    let (endA, endB) = (await End(a, label, 1), await End(b, label, 1))
    await cost("exchanged", counters) { count in
      for (end, isFirst) in [(endB, 0), (endA, 1)] as [(End, UInt64)] {
        let seen = await end.puppet.ask("i", end.interrupt)[0]
        let queues = end.node.capabilities + [end.interrupt, seen]
        // Both directions' messages count.
        end.puppet.tell(Puppet.line("mx", queues + [memory, messageSize, count / 2, isFirst]))
      }
      let answers = [await a.numbers(), await b.numbers()]
      precondition(answers.allSatisfy { $0[0] == count / 2 && $0[1] == 0 }, "\(answers)")
    }
  }

  /// One of a machine's ends of a queue pair: 0 to send, 1 to receive.
  private struct End {
    let puppet: Puppet
    let node: Puppet.Node
    let side: Int
    var interrupt: UInt64 { node.interrupts[side] }

    init(_ puppet: Puppet, _ label: UInt64, _ side: Int) async {
      self.puppet = puppet
      self.side = side
      node = await puppet.node("qcom,gunyah-message-queue", label: label)
      _ = await puppet.ask("e", interrupt)
    }

    func line(_ command: String, _ count: UInt64) async -> String {
      let seen = await puppet.ask("i", interrupt)[0]
      return Puppet.line(command, [node.capabilities[side], interrupt, seen, memory, messageSize, count])
    }
  }

  private static func measureDoorbell(_ a: Puppet, _ b: Puppet, _ counters: Counters) async {
    let source = await a.node("qcom,gunyah-doorbell-source", label: label)
    let receiver = await b.node("qcom,gunyah-doorbell", label: label)
    let ring = { (count: UInt64) in
      let rung = await a.ask("bs", source.capabilities[0], 1, count)
      precondition(rung[0] == count && rung[1] == 0, "\(rung)")
    }
    // The interrupt pends at the receiver, which goes on sleeping.
    await cost("doorbell", counters, ring)
    _ = await b.ask("e", receiver.interrupts[0])
    await cost("doorbell-heard", counters, ring)
  }

  /// Lends 64 MiB in 32 pieces, has the borrower write them, and takes them back.
  private static func measureParcel(_ a: Puppet, _ b: Puppet, apart: Bool) async {
    let (owner, borrower) = (await Manager(a), await Manager(b))
    let (piece, count) = (2 << 20 as UInt64, 32 as UInt64)
    let place: UInt64 = 0x8000_0000
    let pieces: [UInt8] = (0..<count).flatMap { bytes(memory + $0 * piece * (apart ? 2 : 1), piece) }
    _ = await a.ask("z", memory, piece * count * (apart ? 2 : 1), 0x11)
    let start = ContinuousClock.now
    let access: [UInt8] = bytes(1, 0 as UInt16) + bytes(4 as UInt16) + [7, 0]
    let parcel = bytes(0, 7 as UInt32) + access
    let handle = await owner.ask(.lend, parcel + bytes(UInt16(count), 0) + pieces + bytes(0 as UInt32))
    let lent = ContinuousClock.now
    // A loan, whole, in one range.
    let head: [UInt8] = handle.prefix(4) + [0, 1, 0x90, 0]
    let accept: [UInt8] = head + bytes(0, 0 as UInt32) + bytes(1, 0 as UInt16)
    let ranges: [UInt8] = bytes(place, piece * count)
    await borrower.ask(.accept, accept + ranges + bytes(0 as UInt32))
    let accepted = ContinuousClock.now
    _ = await b.ask("z", place, piece * count, 0x55)
    let used = ContinuousClock.now
    await borrower.ask(.release, handle.prefix(4) + bytes(0 as UInt32))
    await owner.ask(.reclaim, handle.prefix(4) + bytes(0 as UInt32))
    let end = ContinuousClock.now
    for index in 0..<count {
      let wrong = await a.ask("v", memory + index * piece * (apart ? 2 : 1), piece, 0x55)[0]
      precondition(wrong == 0, "piece \(index): \(wrong) bytes are others")
    }
    let times = [("lend", start, lent), ("accept", lent, accepted), ("use", accepted, used), ("reclaim", used, end)]
    let parts = times.map { "\"\($0.0)\": \(nanoseconds($0.1.duration(to: $0.2)))" }.joined(separator: ", ")
    tell(apart ? "parcel-apart" : "parcel", "{\(parts), \"whole\": \(nanoseconds(start.duration(to: end)))}")
  }

  private static func nanoseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
  }
}
