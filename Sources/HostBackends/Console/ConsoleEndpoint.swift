import CHost
internal import Glibc
package import Host
package import Logging

/// The files behind a console, opened before the machine starts and released when it has ended.
package final class ConsoleEndpoint {
  /// Where input comes from.
  package enum Input {
    case none
    /// From tasks of this process.
    case stream(ConsoleStream)
    /// From a descriptor that stays open as long as the endpoint lives.
    case descriptor(Int32)
  }

  /// Where output goes.
  package enum Output {
    case none
    /// To tasks of this process.
    case stream(ConsoleStream)
    /// To a descriptor, through what writes without waiting.
    case outlet(Outlet)
  }

  /// Where the guest's input comes from.
  package private(set) var input = Input.none
  /// Where the guest's output goes.
  package private(set) var output = Output.none
  /// Whether the other end is a terminal that somebody has to open.
  package private(set) var isPseudoTerminal = false
  /// Whether Ctrl-A x ends the machine: a person types here.
  package private(set) var hasEscapes = false
  /// Who else listens and types, where anybody may.
  package var monitor: ConsoleMonitor?
  /// What to do about output that cannot be written.
  package private(set) var outputAdvice = ""

  /// A description of the input of our own, which never waits, once one was made.
  private var ownInput: OwnedDescriptor?
  private var hasOwnInput = false
  private var terminalLock: OwnedDescriptor?
  private var link: MadeName?
  private var isRaw = false

  /// Where a console leads.
  package enum Destination {
    /// Nowhere.
    case none
    /// To the program.
    case stream(ConsoleStream)
    /// To a file that is truncated; there is no input.
    case file(path: String)
    /// To a new pseudo-terminal, with a link to it where one is named.
    case pseudoTerminal(link: String?)
    /// To this process's standard input and output.
    case standardStreams
    /// To somebody else's descriptor.
    case descriptor(Int32)
    /// The same without input.
    case outputDescriptor(Int32)
  }

  /// Opens where the console leads.
  ///
  /// - Throws: what the host refused, or the file that cannot be made.
  package init(_ destination: Destination, files: RunFiles, logger: Logger) throws(OpenFailure) {
    switch destination {
    case .none: break
    case .stream(let stream):
      input = .stream(stream)
      output = .stream(stream)
    case .file(let path): try openFile(path, files)
    case .pseudoTerminal(let link): try openPseudoTerminal(link: link, logger: logger)
    case .standardStreams: try openStandardStreams(logger: logger)
    case .descriptor(let number):
      try openDescriptor(number)
      input = .descriptor(number)
    case .outputDescriptor(let number): try openDescriptor(number)
    }
  }

  deinit {
    if isRaw { chost_terminal_restore() }
    if case .outlet(let outlet) = output { outlet.close() }
    link?.remove()
  }

  /// Why a console could not be opened.
  package enum OpenFailure: Error, CustomStringConvertible {
    /// The host refused something.
    case host(HostError)
    /// The file cannot be made or written.
    case cannotWrite(OutputFileError)
    case terminalInUse
    /// The path of the link to the pseudo-terminal is another file's.
    case linkInUse(path: String)

    /// What kind of failure it is.
    package var kind: FailureKind {
      switch self {
      case .host, .terminalInUse: .hostFailure
      case .cannotWrite, .linkInUse: .cannotCreate
      }
    }

    package var description: String {
      switch self {
      case .host(let error): "\(error)"
      case .cannotWrite(let error): "\(error)"
      case .terminalInUse:
        "another Apus uses this terminal; end it (Ctrl-A x), or lead the console to a pseudo-terminal or a file"
      case .linkInUse(let path):
        "'\(path)' exists already, perhaps as the console of another Apus; name another link or remove it"
      }
    }
  }

  private func openFile(_ path: String, _ files: RunFiles) throws(OpenFailure) {
    do {
      let opened = try files.open(path)
      output = .outlet(Outlet(owning: opened))
    } catch {
      throw .cannotWrite(error)
    }
    outputAdvice = "free some space where '\(path)' is, or name another file"
  }

  private func openDescriptor(_ number: Int32) throws(OpenFailure) {
    do {
      output = .outlet(try Outlet(sharing: number))
    } catch {
      throw .host(error)
    }
    outputAdvice = "its reader has gone; keep it open, or lead the console to a file or nowhere"
  }

  private func openPseudoTerminal(link path: String?, logger: Logger) throws(OpenFailure) {
    if let path { Self.removeStaleLink(path) }
    // SAFETY: the buffer is this call's own and its size goes along.
    let (number, name) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      guard let base = buffer.baseAddress else { return (-ENOMEM, "") }
      let number = unsafe chost_pseudo_terminal_open(base, buffer.count)
      return unsafe (number, number >= 0 ? String(cString: base) : "")
    }
    guard number >= 0 else {
      throw .host(HostError("opening a pseudo-terminal", errno: -number, advice: "check that /dev/pts is mounted"))
    }
    output = .outlet(Outlet(owning: OwnedDescriptor(owning: number)))
    if let path {
      // SAFETY: the texts hold for the calls.
      if unsafe path.withHostPath({ unsafe symlink(name, $0) }) != 0 {
        let error = chost_errno()
        throw error == EEXIST ? .linkInUse(path: path) : .cannotWrite(OutputFileError(file: path, errno: error))
      }
      link = MadeName(path)
    }
    logger.notice("the console is on \(path ?? name)")
    input = .descriptor(number)
    hasOwnInput = true
    isPseudoTerminal = true
    outputAdvice = "use another console"
  }

  /// Removes a link that a machine left which was killed. Before a terminal is opened, which may get the very name that
  /// the link has.
  private static func removeStaleLink(_ path: String) {
    // Where it fails, making the new link fails and says why.
    if let link = staleLink(path) { link.remove() }
  }

  /// A link that leads nowhere, or to a terminal that is newer than the link: its own one had that number before.
  private static func staleLink(_ path: String) -> MadeName? {
    let name = MadeName(path)
    // SAFETY: the path holds for the call.
    return unsafe path.withHostPath { unsafe chost_terminal_link_is_stale($0) } ? name : nil
  }

  /// Looks whether a link to a pseudo-terminal could be made, and leaves everything as it is.
  ///
  /// - Returns: why not.
  package static func problem(ofLink path: String) -> OpenFailure? {
    if FileIdentity(named: path) != nil {
      return staleLink(path) == nil ? .linkInUse(path: path) : nil
    }
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_folder_check($0) }
    return result == 0 ? nil : .cannotWrite(OutputFileError(file: path, errno: -result))
  }

  /// Makes the input one whose reads never wait, where that can be: others may read from the same terminal or pipe, and
  /// have taken what was there. Not before there is any: a guest without input needs none.
  ///
  /// - Returns: whether ``input`` is another one now.
  package func ownInputOnce() -> Bool {
    guard !hasOwnInput, case .descriptor(let shared) = input else { return false }
    hasOwnInput = true
    let number = chost_input_open(shared)
    guard number >= 0 else { return false }
    ownInput = OwnedDescriptor(owning: number)
    input = .descriptor(number)
    return true
  }

  /// The size of the terminal on standard input, in characters, where it is known.
  package static var terminalSize: (columns: UInt16, rows: UInt16)? {
    var (columns, rows): (UInt16, UInt16) = (0, 0)
    // SAFETY: the variables hold for the call.
    return unsafe chost_terminal_size(STDIN_FILENO, &columns, &rows) ? (columns, rows) : nil
  }

  private func openStandardStreams(logger: Logger) throws(OpenFailure) {
    output = .outlet(Outlet(standardStream: STDOUT_FILENO))
    outputAdvice = "its reader has gone; keep it open, or lead the console to a file or nowhere"
    guard isatty(STDIN_FILENO) == 1 else {
      input = .descriptor(STDIN_FILENO)
      return
    }
    // A background job must not read from its terminal: it would be stopped.
    guard chost_terminal_is_ours(STDIN_FILENO) else { return }
    let lock = chost_terminal_lock(STDIN_FILENO)
    if lock == -EWOULDBLOCK { throw .terminalInUse }
    // A terminal that cannot be opened by its name (in another mount namespace, say) is just not locked.
    if lock >= 0 { terminalLock = OwnedDescriptor(owning: lock) }
    let error = chost_terminal_make_raw(STDIN_FILENO)
    guard error == 0 else {
      throw .host(HostError("putting the terminal into raw mode", errno: -error, advice: "lead the console to a file"))
    }
    input = .descriptor(STDIN_FILENO)
    hasEscapes = true
    isRaw = true
    logger.info("\(EscapeSequence.help)")
  }
}
