import ApusControl
import ArgumentParser

/// The names of running machines, for who completes words.
enum MachineNames {
  /// Asks when the word is to be completed.
  static let completion = CompletionKind.shellCommand("apus list --names 2>/dev/null")
}

extension ApusCommand {
  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "Show the running machines of this user that have a control socket.",
      discussion: """
        Examples:
          apus list
          apus list --json
          apus list --names

        What machines left that have gone is taken away.
        """
    )

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Print the names alone, a line to each.")
    var names = false

    /// One machine, as far as it answers.
    private struct Machine: Encodable {
      let machine: String
      let socket: String
      var state = "unknown"
      /// Why it tells nothing of itself, where it has said so.
      var reason: String?
      var pid: Int32?
      var uptime: UInt64?
      var cpus: Int?
      var memory: UInt64?
      var uuid: String?
    }

    func run() throws {
      let machines = try Message.reporting { () throws(ControlError) in try ControlClient.machines }
      if names { return try Message.show(machines.map(\.name)) }
      let rows = machines.map(look)
      if json { return try Message.show(json: rows) }
      guard !rows.isEmpty else {
        return Message.say("no machine is running that has a control socket; start one with --control auto")
      }
      try Message.show(Self.table(rows))
    }

    private func look(_ machine: (name: String, path: String)) -> Machine {
      var row = Machine(machine: machine.name, socket: machine.path)
      // One that does not answer holds up the others for no longer than a person waits.
      do throws(ControlError) {
        let info = try ControlClient(machine.path, timeout: .seconds(2)).call(Control.Info.self)
        row.state = info.state.rawValue
        row.pid = info.pid
        row.uptime = info.uptime
        row.cpus = info.cpus
        row.memory = info.wholeMemory
        row.uuid = info.uuid
      } catch {
        switch error.code {
        case .disconnected, .timedOut: row.state = "does not answer"
        case .ended: row.state = Control.State.ended.rawValue
        default:
          row.state = "refuses"
          row.reason = error.message
        }
      }
      return row
    }

    private static func table(_ rows: [Machine]) -> [String] {
      var cells = [["MACHINE", "STATE", "UPTIME", "CPUS", "MEMORY", "PID"]]
      for row in rows {
        cells.append([
          row.machine, row.state + (row.reason.map { ": \($0)" } ?? ""), row.uptime.map(duration) ?? "-",
          row.cpus.map { "\($0)" } ?? "-",
          row.memory.map { "\(ByteCount($0))" } ?? "-", row.pid.map { "\($0)" } ?? "-",
        ])
      }
      let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
      return cells.map { row in
        var line = ""
        for (cell, width) in zip(row, widths) {
          line += cell + String(repeating: " ", count: width - cell.count + 2)
        }
        while line.last == " " { line.removeLast() }
        return line
      }
    }

    /// As `3d 4:05:06` or `5:06`.
    private static func duration(_ nanoseconds: UInt64) -> String {
      let seconds = nanoseconds / 1_000_000_000
      func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
      let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60)
      let short = "\(two(seconds % 60))"
      if days > 0 { return "\(days)d \(hours):\(two(minutes)):\(short)" }
      return hours > 0 ? "\(hours):\(two(minutes)):\(short)" : "\(minutes):\(short)"
    }
  }
}
