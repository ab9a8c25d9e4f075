internal import Glibc
package import Host
package import VhostUser

/// A program that serves one device: started anew for each connection, and ended with it.
package final class ProgramConnector: VhostUserConnector, @unchecked Sendable {
  // SAFETY: @unchecked: what changes is the link's thread's.

  package let subject: String
  private let path: String
  private let arguments: [String]
  private let listens: Bool
  private let log: @Sendable (String) -> Void
  private let advise: @Sendable (String) -> String?
  /// What to do, by the first line that said so.
  private var advice: String?
  private var program: ChildProgram?
  private var words = ProgramWords()
  private var watched: (loop: EventLoop, descriptor: Int32)?

  /// - Parameters:
  ///   - path: the program's.
  ///   - arguments: the program's, the first of which is its name.
  ///   - listens: whether it takes a connection from the socket that it gets, or the socket is one.
  ///   - device: the device's name, for people.
  ///   - advise: what to do where the program says that line and ends; nil: the line does not tell.
  ///   - log: gets what the program says, line by line. On the link's thread.
  package init(
    path: String,
    arguments: [String],
    listens: Bool,
    device: String,
    advise: @escaping @Sendable (String) -> String? = { _ in nil },
    log: @escaping @Sendable (String) -> Void
  ) {
    subject = "\(device): \(arguments[0])"
    self.path = path
    self.arguments = arguments
    self.listens = listens
    self.advise = advise
    self.log = log
  }

  package func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    let program: ChildProgram
    do throws(ChildProgram.CannotStart) {
      program = listens ? try ChildProgram(listener: path, arguments) : try ChildProgram(path, arguments)
    } catch {
      throw .host("'\(path)' cannot be started: \(errorText(error.errno))")
    }
    self.program = program
    words = ProgramWords()
    advice = nil
    do throws(HostError) {
      _ = try loop.add(
        program.output.rawValue,
        EventLoop.readable,
        ClosureHandler { [unowned self] _ in listen() }
      )
      watched = (loop, program.output.rawValue)
    } catch {
      throw .host("\(error)")
    }
    return VhostUserSocket(owning: program.takeSocket().release())
  }

  private func listen() {
    guard let bytes = program?.takeOutput() else { return }
    if bytes.isEmpty { stopListening() }
    take(bytes)
  }

  private func take(_ bytes: [UInt8]) {
    words.take(bytes) { line in
      log(line)
      if advice == nil { advice = advise(line) }
    }
  }

  private func stopListening() {
    guard let watched else { return }
    watched.loop.remove(watched.descriptor)
    self.watched = nil
  }

  package func disconnect(_ error: VhostUserError) -> VhostUserEnd {
    guard let program else { return VhostUserEnd(error: error, isDead: true) }
    // One that closed its socket is about to end, and its status is worth more than ours.
    if error == .disconnected { program.waitForEnd(milliseconds: 500) }
    let end = program.takeEnd()
    program.killAndWait()
    take(program.takeOutput())
    stopListening()
    self.program = nil
    guard let end else { return VhostUserEnd(error: error, isDead: true) }
    let isSilent = words.last.isEmpty
    let text = isSilent ? end.text : "\(end.text) (\(words.ending))"
    let advice = advice ?? (isSilent ? "it said nothing: see whether '\(path)' is the program that is meant" : nil)
    return VhostUserEnd(error: .unusable("it \(text)\(advice.map { "; \($0)" } ?? "")"), isDead: true)
  }
}
