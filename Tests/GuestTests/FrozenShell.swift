import Apus
import ApusTesting
import GuestSupport
import TestSupport

/// A guest with a shell on its serial port, as a snapshot that tests go on from: booted once for all of them.
final class FrozenShell: Sendable {
  let snapshot: MachineSnapshot
  private let folder: TemporaryFolder

  private init(_ snapshot: MachineSnapshot, _ folder: TemporaryFolder) {
    (self.snapshot, self.folder) = (snapshot, folder)
  }

  private static let booted = Task {
    let folder = try TemporaryFolder()
    var configuration = try LinuxGuest.configuration("shell")
    configuration.cpuCount = 2
    configuration.devices = [.init(.entropy)]
    let summary = try await MachineSlots.shared.withSlot(.init(configuration)) {
      let guest = try DrivenMachine(Machine(configuration))
      return try await guest.ended { _ in
        _ = try await GuestShell(guest.console)
        return try await guest.machine.snapshot(to: folder.path("frozen"))
      }
    }
    return FrozenShell(try MachineSnapshot(summary.directory), folder)
  }

  /// The one of this process. Not while a machine's place is held.
  static var shared: FrozenShell {
    get async throws { try await booted.value }
  }

  /// Has a machine go on from the snapshot, and ends it.
  func withMachine<Result>(
    isBeside: Bool = false,
    _ drive: (DrivenMachine, GuestShell) async throws -> Result
  ) async throws -> Result {
    try await MachineSlots.shared.withSlot(isBeside ? nil : .init(snapshot.configuration)) {
      let guest = try DrivenMachine.restored(snapshot)
      return try await guest.ended { try await drive(guest, $0) }
    }
  }
}

extension DrivenMachine {
  /// A machine that goes on from a snapshot.
  static func restored(
    _ snapshot: MachineSnapshot,
    _ options: MachineSnapshot.Options = MachineSnapshot.Options()
  ) throws -> DrivenMachine {
    var configuration = snapshot.configuration
    configuration.console = .stream
    return try DrivenMachine(Machine(restoring: snapshot, configuration, options: options))
  }

  /// Ends the machine behind what is done with it.
  func ended<Result>(_ drive: (GuestShell) async throws -> Result) async throws -> Result {
    do {
      let result = try await drive(GuestShell(goingOn: console))
      machine.stop()
      _ = await machine.outcome
      return result
    } catch {
      machine.stop()
      _ = await machine.outcome
      throw error
    }
  }
}
