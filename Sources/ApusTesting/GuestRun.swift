public import Apus
public import ApusGuest
public import SCMI

/// A machine that has run to its end, as a test looks at it: for what runs by itself, such as firmware, and where every
/// device and exit is what a test is about. A `Guest` has an agent, and is there while the test goes on.
public struct GuestRun: Sendable {
  /// How it ended, in how many exits, and so on.
  public let report: Report
  /// How it ended.
  public let outcome: Outcome
  /// All that the guest wrote to its serial port.
  public let console: String
  /// The console's lines, without those that are empty.
  public let lines: [Substring]

  private init(report: Report, outcome: Outcome, console: String) {
    (self.report, self.outcome, self.console) = (report, outcome, console)
    lines = console.utf8.split(separator: 0x0A).map { Substring($0) }
  }

  /// Boots a machine, drives it, and waits for its end.
  ///
  /// No more machines run at once than the host has processors; the limit of time counts from the start, and leaves out
  /// what the machine waits for a processor.
  ///
  /// - Parameters:
  ///   - configuration: its console must be `.stream`, the default.
  ///   - platform: the shared SCMI platform that the configuration's device is on, or nil.
  ///   - limit: how long the machine may run, on a host that has nothing else to do, where the configuration has no
  ///     limit of its own. One that runs longer is stopped, and ``Hang`` thrown.
  ///   - isBeside: whether another machine that this test drives runs at the same time, and has its place among those
  ///     that may. Waiting for a second one would be waiting for all other tests.
  ///   - drive: talks with the running guest. When it throws, the machine is stopped.
  /// - Throws: ``Hang``, what `drive` throws, and what keeps the machine from starting: `ConfigurationError` for every
  ///   mistake at once, `InputFileError` and `HostError`.
  public static func boot(
    _ configuration: Configuration,
    platform: SharedPlatform? = nil,
    limit: Duration = .seconds(180),
    beside isBeside: Bool = false,
    _ drive: (Machine, ConsoleTranscript) async throws -> Void = { _, _ in }
  ) async throws -> GuestRun {
    try await MachineSlots.shared.withSlot(isBeside ? nil : MachineSlots.Need(cpus: 1, memory: 0)) {
      var options = Guest.Options()
      options.withAgent = false
      let guest = try Guest.start(configuration, platform: platform, options)
      let clock = configuration.timeout == nil ? GuestClock(guest, limit: limit) : nil
      defer { clock?.cancel() }
      do {
        try await drive(guest.machine, guest.console)
      } catch {
        await guest.stop()
        throw error
      }
      let outcome = await guest.outcome
      if clock?.hasPassed == true { throw Hang(console: await guest.console.wholeText) }
      return GuestRun(
        report: await guest.machine.report,
        outcome: outcome,
        console: await guest.console.wholeText
      )
    }
  }

  /// A machine that did not end in time.
  public struct Hang: Error, CustomStringConvertible {
    /// All that the guest wrote to its serial port.
    public let console: String

    public var description: String { "the guest did not end; the last that it wrote: \(console.suffix(2000))" }
  }

  /// The fault that ended the machine, if one did.
  public var fault: GuestFault? {
    if case .guestFault(let fault) = outcome.end { fault } else { nil }
  }
}
