internal import CTestSupport
internal import Glibc
internal import TestLimits

/// What a program left behind.
public struct ProgramResult: Sendable {
  /// The exit status, or 256 + N for a program that signal N killed.
  public let status: Int32
  public let output: String
  public let error: String
}

/// A program that could not be run to its end.
public struct ProgramError: Error, CustomStringConvertible {
  public let description: String
}

/// A program to run.
public struct Program: Sendable {
  /// A standard stream.
  public enum Stream: Int32, Sendable {
    case input, output, error
  }

  public var path: String
  public var arguments: [String] = []
  /// The streams that the program finds closed.
  public var closed: Set<Stream> = []
  /// Where standard output goes, or nil for ``ProgramResult/output``.
  public var outputPath: String?
  /// The user to run as, or 0 for the caller's.
  public var user: UInt32 = 0
  /// Seconds until the program is killed, on a machine that has nothing else to do.
  public var limit = 120

  public init(path: String, _ arguments: [String] = []) {
    self.path = path
    self.arguments = arguments
  }

  /// The folder of the running test's executable, where everything of its build is.
  public static var buildFolder: String {
    var buffer = [CChar](repeating: 0, count: 4096)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe buffer.withUnsafeMutableBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return 0 }
      return unsafe readlink("/proc/self/exe", base, bytes.count)
    }
    let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }

  /// Runs the program to its end.
  public func run() throws -> ProgramResult {
    let folder = try TemporaryFolder()
    let streams = [
      open("/dev/null", O_RDONLY), open(outputPath ?? folder.path("output"), O_WRONLY | O_CREAT),
      open(folder.path("error"), O_WRONLY | O_CREAT),
    ]
    defer { for descriptor in streams { close(descriptor) } }
    guard streams.allSatisfy({ $0 >= 0 }) else { throw ProgramError(description: "no file for a stream") }
    let chosen = zip(streams, [Stream.input, .output, .error]).map { closed.contains($1) ? -1 : $0 }
    let process = try start(ctest_streams(descriptors: (chosen[0], chosen[1], chosen[2]), user: user))
    let status = try wait(process)
    return ProgramResult(
      status: status,
      output: String(decoding: folder.read("output") ?? [], as: UTF8.self),
      error: String(decoding: folder.read("error") ?? [], as: UTF8.self)
    )
  }

  private func open(_ path: String, _ flags: Int32) -> Int32 {
    // SAFETY: the path holds for the call.
    unsafe Glibc.open(path, flags | O_CLOEXEC, 0o666)
  }

  private func start(_ streams: ctest_streams) throws -> pid_t {
    // SAFETY: strdup copies; each copy is freed once, at the end of this call.
    var texts = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe texts.forEach { unsafe free($0) } }
    // SAFETY: the texts hold until the new process has its own copy, and a nil ends them.
    let process = unsafe texts.withUnsafeMutableBufferPointer { texts in
      guard let base = texts.baseAddress else { return pid_t(-EINVAL) }
      return unsafe ctest_start(path, base, streams)
    }
    guard process > 0 else { throw ProgramError(description: "no process for \(path): error \(-process)") }
    return process
  }

  private func wait(_ process: pid_t) throws -> Int32 {
    let time = TestLimit(.seconds(limit), for: process)
    while !time.hasPassed {
      let status = ctest_status(process)
      if status != -1 { return status }
      usleep(5000)
    }
    kill(process, SIGKILL)
    while ctest_status(process) == -1 { usleep(5000) }
    throw ProgramError(description: "\(path) \(arguments) did not end within \(limit) s")
  }
}
