import Apus
import Glibc
import Host
import Synchronization

/// What is said and written when a machine has ended, and by whom: the thread that ran it, or another one where that
/// does not come back.
final class RunEnd: Sendable {
  private let report: ReportFile?
  private let configuration: Configuration
  private let manner: Manner
  private let isTold = Atomic(false)

  /// How long those are waited for who read standard error and the report: not long where somebody waits for the end.
  static let patience: Duration = .seconds(1)
  static let hurriedPatience: Duration = .milliseconds(100)
  /// How long the report of a machine that was abandoned may take: what a busy host needs to write one, and not for
  /// ever, since its file may be what does not answer.
  private static let abandonedLimit: Duration = .seconds(2)

  init(_ report: ReportFile?, of configuration: Configuration, as manner: Manner = .apus) {
    self.report = report
    self.configuration = configuration
    self.manner = manner
  }

  /// Whose exit statuses and whose options' names they are.
  enum Manner {
    case apus
    case qemu

    fileprivate func status(_ report: Report) -> Int32 {
      switch self {
      case .apus: report.exitStatus
      case .qemu:
        switch report.outcome {
        // What a caller has asked for, and what a guest does of its own accord.
        case "powered-off", "stopped", "reset", "interrupted": 0
        case "panicked", "guest-fault": report.exitStatus
        default: 1
        }
      }
    }

    fileprivate func message(_ problem: ConfigurationError.Problem, _ configuration: Configuration) -> String {
      switch self {
      case .apus: configuration.message(problem)
      case .qemu: QEMUNames.message(problem, configuration)
      }
    }
  }

  /// The report with the options' names in what is wrong with them.
  private func retold(_ report: Report) -> Report {
    guard let problem = report.problem else { return report }
    var report = report
    report.message = manner.message(problem, configuration)
    return report
  }

  /// Says how it ended and writes the report.
  ///
  /// - Returns: the exit status: the run's, or that of a report that cannot be written. A report whose reader takes
  ///   nothing has a say only where all else went well: whoever waits for 124 has it.
  func tell(_ result: Report, of machine: Machine) throws -> Int32 {
    let result = retold(result)
    // The other thread is about to end the process.
    guard !isTold.exchange(true, ordering: .acquiring) else { while true { pause() } }
    say(result)
    let limit = result.isHurried ? Self.hurriedPatience : Self.patience
    var status = manner.status(result)
    if let report {
      machine.keepEndable()
      status = try report.write(result, within: limit, endingWith: status)
    }
    StandardStreams.finishErrors(within: limit)
    return status
  }

  /// Ends the process without the thread that ran the machine.
  func abandon(_ result: Report) {
    let result = retold(result)
    let isFirst = !isTold.exchange(true, ordering: .acquiring)
    say(result)
    Message.say("something that Apus waits for does not answer, such as a disk or a file: it is left behind")
    // Otherwise the other thread writes it, or waits for that very file, which may be what does not answer.
    if isFirst, let report {
      _ = Attempt.run(within: Self.abandonedLimit) { try? report.write(result, within: Self.hurriedPatience) }
    }
    StandardStreams.restoreTerminal()
    StandardStreams.finishErrors(within: Self.hurriedPatience)
    _exit(manner.status(result))
  }

  private func say(_ result: Report) {
    if manner.status(result) != 0 {
      let isGuests = result.exitStatus == result.guestStatus
      Message.say(isGuests ? "the guest's exit status is \(result.exitStatus)" : result.message)
    }
    for line in result.guestFault?.registerLines ?? [] { Message.say(line) }
  }
}

/// The report's file, for whichever thread writes it.
final class ReportFile: Sendable {
  private let file: Mutex<OutputFile?>

  /// The option cannot be followed.
  struct OpenFailure: CommandFailure {
    let cause: OutputFileError
    var exitStatus: Int32 { cause.exitStatus }
    var messages: [String] { cause.messages.map { "--report: " + $0 } }
  }

  init(path: String) throws(OpenFailure) {
    do {
      file = Mutex(try OutputFile(path: path))
    } catch {
      throw OpenFailure(cause: error)
    }
  }

  /// Writes the report, and says so where it cannot be written.
  ///
  /// - Parameter status: the exit status without it.
  /// - Returns: the exit status: that, or the file's. A reader who takes nothing has a say only where all else went
  ///   well.
  func write(_ report: some Encodable, within limit: Duration, endingWith status: Int32) throws -> Int32 {
    do {
      try write(report, within: limit)
      return status
    } catch let error as OutputFileError {
      Message.say("error: \(error)")
      return status == 0 || !error.isForWantOfReader ? error.exitStatus : status
    }
  }

  func write(_ report: some Encodable, within limit: Duration) throws {
    let text = try JSON.text(report)
    guard let file = file.withLock({ $0.take() }) else { return }
    try file.write(Array(text.utf8) + [0x0A], within: limit)
  }
}
