import Apus
import ArgumentParser
import Glibc
import Host
import Logging
import QEMUSyntax

/// Runs a machine that QEMU's words describe, and ends as QEMU does where callers look.
struct QEMURun {
  private let wanted: QEMUMachine

  init(_ wanted: QEMUMachine) {
    self.wanted = wanted
  }

  /// - Throws: the exit status as an `ExitCode`, or ``QEMUSyntaxError``.
  func run() throws {
    for note in wanted.notes { Message.say(note) }
    let opening = try QEMUOpening(wanted)
    let configuration = opening.configuration
    // Before there are threads.
    let detachment = wanted.isDetached ? try Detachment.begin() : nil
    let machine = try Self.reporting(configuration) { () throws(ConfigurationError) in
      try Machine(configuration, logger: Message.logger(.notice))
    }
    // The process ends with its machine, and taking that apart before would be work for nobody.
    // SAFETY: a reference more keeps the object, and nothing else.
    _ = unsafe Unmanaged.passRetained(machine)
    if wanted.isStopped { machine.startPaused() }
    Machine.holdStopSignals()
    let processFile = try processFile()
    let server = try wanted.protocolPlace.map { place throws(QEMUSyntaxError) in
      try QMPServer(place, for: machine, name: wanted.name, isStopped: wanted.isStopped)
    }
    let end = RunEnd(nil, of: configuration, as: .qemu)
    StandardStreams.stopWaitingForErrors()
    try server?.begin()
    var begun: (@Sendable (String?) -> Void)?
    if let detachment { begun = { detachment.tell($0 ?? "") } }
    let report = machine.run(stoppingOnSignals: true, begun: begun, abandoned: { end.abandon($0) })
    server?.finish()
    processFile?.remove()
    opening.writeStatus(report.guestStatus)
    throw ExitCode(try end.tell(report, of: machine))
  }

  private static func reporting<Result>(
    _ configuration: Configuration,
    _ body: () throws(ConfigurationError) -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      for problem in error.problems { Message.say(QEMUNames.message(problem, configuration)) }
      throw ExitCode(1)
    }
  }

  /// Writes the process's number where that is wanted; the file goes with the process.
  private func processFile() throws(QEMUSyntaxError) -> MadeName? {
    guard let path = wanted.processFile else { return nil }
    do {
      var isNew = false
      let file = try OutputFile.open(path, isNew: &isNew)
      let text = Array("\(getpid())\n".utf8)
      ftruncate(file.rawValue, 0)
      // SAFETY: the buffer holds for the call and its size goes along.
      guard unsafe write(file.rawValue, text, text.count) == text.count else {
        throw QEMUSyntaxError("-pidfile \(path)", "it cannot be written; free some space, or name another file")
      }
      return MadeName(path, descriptor: file.rawValue)
    } catch let error as OutputFileError {
      throw QEMUSyntaxError("-pidfile", "\(error)")
    } catch {
      throw QEMUSyntaxError("-pidfile", "\(error)")
    }
  }
}
