import Apus
import ApusTesting
import TestSupport
import Testing

@Suite("Snapshots under load", .requiresKVM, .ownThread)
struct SnapshotLoadTests {
  /// How often the guest goes on in another machine: `APUS_SNAPSHOT_ROUNDS`, or what a run of all tests has time for.
  private static var rounds: Int { Variable.number("APUS_SNAPSHOT_ROUNDS", or: 2) }

  /// What a round's snapshot stands on.
  enum Chaining: String, CaseIterable, CustomTestStringConvertible {
    /// Each is a full one.
    case full
    /// Each has what has changed since the one that the machine goes on from.
    case chained

    /// Both, or `APUS_SNAPSHOT_CHAINING`.
    static var wanted: [Self] { Variable.value("APUS_SNAPSHOT_CHAINING").flatMap(Self.init).map { [$0] } ?? allCases }

    var testDescription: String { rawValue }

    /// Whether a round's snapshot is of what has changed since a full one that is taken in the same round.
    func begins(_ round: Int) -> Bool { self == .chained && round % 16 == 0 }
  }

  @Test(
    "a guest that is frozen and thawed over and over under load loses nothing, and no byte is wrong",
    .requiresUserNamespaces,
    arguments: Chaining.wanted
  )
  func rounds(_ chaining: Chaining) async throws {
    let rounds = Self.rounds
    let server = ByteServer(SnapshotLoadGuest.download)
    let serving = Task { try await server.serve() }
    defer { serving.cancel() }
    let guest = try SnapshotLoadGuest(port: server.port)

    let (report, text) = try await MachineSlots.shared.withSlot(.init(try guest.configuration())) {
      var chain = Chain(guest, chaining)
      var machine = try DrivenMachine(Machine(guest.configuration()))
      do {
        try await machine.console.expect("ready\n", within: .seconds(240))
        for round in 0..<rounds {
          try await machine.answers(round)
          machine = try await chain.next(round, machine)
        }
        try await machine.answers(rounds)
      } catch {
        print(machine.console.text.suffix(2000))
        machine.machine.stop()
        _ = await machine.machine.outcome
        throw error
      }
      machine.console.send("stop\n")
      return (await machine.machine.report, await machine.console.wholeText)
    }

    let lines = text.utf8.split(separator: 0x0A).map { Substring($0) }
    let counts = SnapshotLoadGuest.workers.map { worker in
      lines.compactMap { $0.hasPrefix(worker + " ") ? Int($0.dropFirst(worker.count + 1)) : nil }.last ?? 0
    }
    print(zip(SnapshotLoadGuest.workers, counts).map { "\($0) \($1)" }.joined(separator: ", "))
    #expect(report.guestStatus == 0, "\(text.suffix(2000))")
    #expect(!text.contains("failed "), "\(text.suffix(2000))")
    #expect(counts.allSatisfy { $0 > rounds })
    #expect(guest.lines(machine: rounds)?.upperBound == counts[2])
    for device in report.devices {
      #expect(device.refusedAccesses == 0 && device.faults == 0, "\(device)")
    }
  }

  /// The snapshots, each of the machine that goes on from the one before.
  private struct Chain {
    private let guest: SnapshotLoadGuest
    private let chaining: Chaining
    private let folder: TemporaryFolder
    /// Those that the latest stands on, and it.
    private var paths: [String] = []
    private var lines: ClosedRange<Int>?
    /// Whether the latest is of a paused machine.
    private var isPaused = false

    init(_ guest: SnapshotLoadGuest, _ chaining: Chaining) {
      self.guest = guest
      self.chaining = chaining
      folder = guest.folder
    }

    /// Takes a round's snapshot, ends the machine, and has another one go on.
    mutating func next(_ round: Int, _ machine: DrivenMachine) async throws -> DrivenMachine {
      let old = paths
      if chaining.begins(round) {
        var options = SnapshotOptions()
        options.logsChanges = true
        try await write(round, "base", options, machine)
        try await machine.answers(round)
      }
      // What the guest has in memory of its disk has to be what is on it.
      let wasPaused = isPaused
      isPaused = (round + round / 16).isMultiple(of: 2)
      if isPaused {
        #expect(await machine.machine.pause())
      } else {
        machine.console.send("hold\n")
        try await machine.console.expect("held\n")
      }
      var options = SnapshotOptions()
      options.base = chaining == .full ? nil : paths.last
      let summary = try await write(round, "last", options, machine)
      #expect(isPaused == (summary.pausedTime == 0), "\(summary)")
      print("\(chaining) \(round), \(isPaused ? "paused" : "running"): \(summary)")
      machine.machine.stop()
      #expect(await machine.machine.outcome.end == .stopped)
      let text = await machine.console.wholeText
      #expect(!text.contains("failed "), "\(text.suffix(2000))")
      try check(round, isAfterPaused: wasPaused)

      let snapshot = try MachineSnapshot(summary.directory)
      if round % 8 == 2 { try snapshot.verifyMemory() }
      var wishes = MachineSnapshot.Options()
      wishes.acceptsOtherDisks = !isPaused
      let configuration = guest.configuration(snapshot, machine: round + 1)
      let next = try DrivenMachine(Machine(restoring: snapshot, configuration, options: wishes))
      for path in old.reversed() where !paths.contains(path) { try MachineSnapshot(path).removeFiles() }
      next.console.send("thaw\n")
      return next
    }

    @discardableResult
    private mutating func write(
      _ round: Int,
      _ name: String,
      _ options: SnapshotOptions,
      _ machine: DrivenMachine
    ) async throws -> SnapshotSummary {
      let path = folder.path("\(round)-\(name)")
      let summary = try await machine.machine.snapshot(to: path, options)
      if options.base == nil { paths = [] }
      paths.append(path)
      return summary
    }

    /// What the port wrote goes on where the machine before it stood; one that went on behind its snapshot has written
    /// what the next one writes again.
    private mutating func check(_ round: Int, isAfterPaused: Bool) throws {
      let new = try #require(guest.lines(machine: round), "the port's lines of machine \(round)")
      if let lines {
        // A machine that is ended brings out what its port still has, and the next one writes that, too.
        let again = lines.upperBound + 1 - new.lowerBound
        #expect(isAfterPaused ? (0...1).contains(again) : again >= 0, "\(round): \(lines), then \(new)")
      } else {
        #expect(new.lowerBound == 1)
      }
      lines = new
    }
  }
}

/// A machine that runs, and its console.
struct DrivenMachine {
  let machine: Machine
  let console: ConsoleTranscript

  /// Starts the machine.
  init(_ machine: Machine) throws {
    self.machine = machine
    console = ConsoleTranscript(machine.console)
    try machine.start()
  }

  /// Waits until each of the guest's workers has done something.
  func answers(_ number: Int) async throws {
    console.send("go \(number)\n")
    try await console.expect("got \(number)\n", within: .seconds(240))
  }
}
