internal import Glibc
package import Host
package import VhostUser

/// Debian's virtiofsd, which shows a folder to a guest: started anew for each connection, and ended with it.
package final class VirtiofsdConnector: VhostUserConnector, @unchecked Sendable {
  // SAFETY: @unchecked: what changes is the link's thread's.

  package let subject: String
  private let path: String
  private let arguments: [String]
  private let log: @Sendable (String) -> Void
  private var program: ChildProgram?
  private var words = ProgramWords()
  private var watched: (loop: EventLoop, descriptor: Int32)?

  /// Where virtiofsd is; nil: nowhere. Debian has it in a folder that is in nobody's PATH.
  package static func find(in folders: String = ChildProgram.searchPath + ":/usr/libexec:/usr/lib/qemu") -> String? {
    ChildProgram.find("virtiofsd", in: folders)
  }

  /// - Parameters:
  ///   - path: the program's.
  ///   - directory: what the guest sees.
  ///   - isReadOnly: whether it may only read.
  ///   - log: gets what the program says, line by line. On the link's thread.
  package init(
    path: String,
    directory: String,
    isReadOnly: Bool,
    name: String,
    log: @escaping @Sendable (String) -> Void
  ) {
    subject = "\(name): virtiofsd"
    self.path = path
    self.log = log
    arguments =
      ["virtiofsd", "--fd", "\(ChildProgram.descriptor)", "--shared-dir", directory]
      + (isReadOnly ? ["--readonly"] : [])
  }

  package func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    let program: ChildProgram
    do throws(ChildProgram.CannotStart) {
      program = try ChildProgram(listener: path, arguments)
    } catch {
      throw .host("'\(path)' cannot be started: \(errorText(error.errno))")
    }
    self.program = program
    words = ProgramWords()
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
    words.take(bytes, log)
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
    words.take(program.takeOutput(), log)
    stopListening()
    self.program = nil
    guard let end else { return VhostUserEnd(error: error, isDead: true) }
    let text = words.last.isEmpty ? end.text : "\(end.text) (\(words.last))"
    return VhostUserEnd(error: .unusable("it \(text)"), isDead: true)
  }
}
