import Glibc
import GuestSupport
import Host
import TestLimits

/// `apus` as a process of its own, with pipes to its standard streams or a terminal in their place.
///
/// Everything here waits with a limit and then throws: a test never hangs on a process.
final class CommandProcess {
  /// What a standard stream is.
  enum Stream {
    case null
    case pipe
    case closed
    /// A descriptor of the test's.
    case descriptor(Int32)
    /// The terminal behind this path, which the process gets for its controlling one.
    case terminal(String)
  }

  /// How a process ended.
  enum End: Equatable {
    case exited(Int32)
    case killed(signal: Int32)

    /// As a shell shows it.
    var status: Int32 {
      switch self {
      case .exited(let status): status
      case .killed(let signal): 128 + signal
      }
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  let processID: pid_t
  private(set) var output: [UInt8] = []
  private(set) var error: [UInt8] = []
  private var inputPipe: Int32 = -1
  private var outputPipe: Int32 = -1
  private var errorPipe: Int32 = -1
  private var end: End?

  /// Starts `apus` with these arguments, or another program.
  init(
    _ arguments: [String],
    program: String? = nil,
    input: Stream = .null,
    output: Stream = .pipe,
    error: Stream = .pipe
  ) throws {
    let program = try program ?? GuestFile.command()
    // SAFETY: both objects are initialized here, used by this call alone and destroyed at its end.
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var flags = Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)

    var own: [Int32] = [-1, -1, -1]
    var theirs: [Int32] = []
    defer { for descriptor in theirs { close(descriptor) } }
    for (index, stream) in [input, output, error].enumerated() {
      let number = Int32(index)
      // SAFETY: as above; the call copies the path.
      switch stream {
      case .null: unsafe posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
      case .descriptor(let descriptor): unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, number)
      case .closed: unsafe posix_spawn_file_actions_addclose(&actions, number)
      case .terminal(let path):
        // The first terminal that the leader of a session opens is its controlling one. 0x80 is POSIX_SPAWN_SETSID.
        flags |= 0x80
        unsafe posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
      case .pipe:
        let ends = try Self.pipe()
        let isInput = index == 0
        own[index] = isInput ? ends.writing : ends.reading
        theirs.append(isInput ? ends.reading : ends.writing)
        unsafe posix_spawn_file_actions_adddup2(&actions, isInput ? ends.reading : ends.writing, number)
      }
    }
    // SAFETY: as above; the texts hold until the new process has its own copy, and a nil ends each list.
    unsafe posix_spawnattr_setflags(&attributes, flags)
    var argv: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    // Tests of any user look at the process's mappings.
    let variables = ["PATH=/usr/bin:/bin", "APUS_DUMPABLE=1"]
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { unsafe strdup($0) } + [nil]
    defer { unsafe (argv + environment).forEach { unsafe free($0) } }
    var processID: pid_t = 0
    let result = unsafe posix_spawn(&processID, program, &actions, &attributes, &argv, &environment)
    guard result == 0 else {
      for descriptor in own where descriptor >= 0 { close(descriptor) }
      throw Failure(description: "\(program) cannot be started: errno \(result)")
    }
    self.processID = processID
    (inputPipe, outputPipe, errorPipe) = (own[0], own[1], own[2])
  }

  deinit {
    for descriptor in [inputPipe, outputPipe, errorPipe] where descriptor >= 0 { close(descriptor) }
    if end == nil {
      _ = kill(processID, SIGKILL)
      _ = waitpid(processID, nil, 0)
    }
  }

  private static func pipe() throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    // SAFETY: the array has room for two.
    guard unsafe Glibc.pipe(&ends) == 0 else { throw Failure(description: "pipe: errno \(errno)") }
    // Not for other processes that a test starts.
    for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  var outputText: String { String(decoding: output.filter { $0 != 0x0D }, as: UTF8.self) }
  var errorText: String { String(decoding: error, as: UTF8.self) }

  /// Sends a signal.
  func signal(_ number: Int32) {
    _ = kill(processID, number)
  }

  /// Writes to the process's standard input, and reads its output meanwhile.
  func send(_ text: String) throws {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      try wait(for: .seconds(120), "room for input", alsoWriting: inputPipe) { isWritable in
        guard isWritable else { return false }
        let piece = Array(rest.prefix(1024))
        // A pipe that poll calls writable takes this much without blocking.
        // SAFETY: the buffer holds for the call and its size goes along.
        let count = unsafe write(inputPipe, piece, piece.count)
        rest = rest.dropFirst(max(0, count))
        return true
      }
    }
  }

  /// Ends the process's standard input.
  func closeInput() {
    close(inputPipe)
    inputPipe = -1
  }

  /// Stops listening to the process's standard output.
  func closeOutput() {
    close(outputPipe)
    outputPipe = -1
  }

  /// Waits for text on standard output.
  func expect(_ text: String, within limit: Duration = .seconds(120)) throws {
    try wait(for: limit, "'\(text)'") { _ in outputText.contains(text) }
  }

  /// Waits for text on standard error.
  func expectError(_ text: String, within limit: Duration = .seconds(120)) throws {
    try wait(for: limit, "'\(text)'") { _ in errorText.contains(text) }
  }

  /// Waits for the end, and reads all output.
  func wait(within limit: Duration = .seconds(120)) throws -> End {
    try wait(for: limit, "the end") { _ in
      var status: Int32 = 0
      // SAFETY: the number holds for the call.
      if end == nil, unsafe waitpid(processID, &status, WNOHANG) == processID {
        end = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F)
      }
      // Its output ends later where another process has it, too.
      return end != nil && outputPipe < 0 && errorPipe < 0
    }
    guard let end else { throw Failure(description: "the process has not ended") }
    return end
  }

  private func wait(
    for limit: Duration,
    _ what: String,
    alsoWriting descriptor: Int32 = -1,
    until isDone: (_ isWritable: Bool) throws -> Bool
  ) throws {
    let limit = TestLimit(limit, for: processID)
    var isWritable = false
    while try !isDone(isWritable) {
      guard !limit.hasPassed else {
        throw Failure(
          description: "\(what) did not come; output: \(outputText.suffix(2000)); errors: \(errorText.suffix(2000))"
        )
      }
      var requests = [
        pollfd(fd: outputPipe, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorPipe, events: Int16(POLLIN), revents: 0),
        pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
      ]
      // SAFETY: the array holds for the call and its count goes along.
      _ = unsafe poll(&requests, 3, 10)
      if requests[0].revents != 0, !take(outputPipe, &output) { closeOutput() }
      if requests[1].revents != 0, !take(errorPipe, &error) {
        close(errorPipe)
        errorPipe = -1
      }
      isWritable = requests[2].revents != 0
    }
  }

  /// Reads what is there.
  ///
  /// - Returns: false at the stream's end.
  private func take(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
    guard descriptor >= 0 else { return false }
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe read(descriptor, &chunk, chunk.count)
    guard count > 0 else { return false }
    buffer += chunk[..<count]
    return true
  }
}
