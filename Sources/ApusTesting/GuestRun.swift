public import Apus

/// A machine that has run to its end, as a test looks at it.
public struct GuestRun: Sendable {
  /// How it ended, in how many exits, and so on.
  public let report: Report
  /// How it ended.
  public let outcome: Outcome
  /// All that the guest wrote to its serial port.
  public let console: String

  /// Boots a machine, drives it, and waits for its end.
  ///
  /// No more machines run at once than the host has processors; the limit of time counts from the start.
  ///
  /// - Parameters:
  ///   - configuration: its console must be ``Apus/Configuration/Console/stream``, the default.
  ///   - limit: how long the machine may run where the configuration has no limit of its own.
  ///   - isBeside: whether another machine that this test drives runs at the same time, and has its place among those
  ///     that may. Waiting for a second one would be waiting for all other tests.
  ///   - drive: talks with the running guest. When it throws, the machine is stopped.
  public static func boot(
    _ configuration: Configuration,
    limit: Duration = .seconds(180),
    beside isBeside: Bool = false,
    _ drive: (Machine, ConsoleTranscript) async throws -> Void = { _, _ in }
  ) async throws -> GuestRun {
    var configuration = configuration
    if configuration.timeout == nil { configuration.timeout = limit }
    let machine = try Machine(configuration)
    return try await MachineSlots.shared.withSlot(isNeeded: !isBeside) {
      let transcript = ConsoleTranscript(machine.console)
      try machine.start()
      do {
        try await drive(machine, transcript)
      } catch {
        machine.stop()
        _ = await machine.outcome
        throw error
      }
      return GuestRun(
        report: await machine.report,
        outcome: await machine.outcome,
        console: await transcript.wholeText
      )
    }
  }

  /// The console's lines.
  public var lines: [Substring] { console.split(separator: "\n", omittingEmptySubsequences: true) }

  /// The fault that ended the machine, if one did.
  public var fault: GuestFault? {
    if case .guestFault(let fault) = outcome.end { fault } else { nil }
  }
}
