import Glibc
import TestSupport
import Testing

// SAFETY: nothing changes the environment while tests run.
/// The command that `APUS_COMMAND` names, or else the one that was built with the tests.
let command = unsafe getenv("APUS_COMMAND").map { unsafe String(cString: $0) } ?? Program.buildFolder + "/apus"

/// A user without any rights, for tests that run as root.
let nobody: UInt32 = 65534

/// Whether such a user can start the command where it was built.
let nobodyCanRun = (try? apus(["--version"], user: nobody).status) == 0

/// Runs `apus` to its end.
func apus(
  _ arguments: [String],
  closed: Set<Program.Stream> = [],
  outputPath: String? = nil,
  user: UInt32 = 0
) throws -> ProgramResult {
  var program = Program(path: command, arguments)
  program.closed = closed
  program.outputPath = outputPath
  program.user = user
  return try program.run()
}

/// Runs a shell's script, in which `apus` is the command.
func shell(_ script: String, user: UInt32 = 0) throws -> ProgramResult {
  var program = Program(path: "/bin/sh", ["-c", "apus() { '\(command)' \"$@\"; }\n\(script)"])
  program.user = user
  return try program.run()
}

/// Runs the command with a standard output whose reader has gone; behind what it says stands its exit status.
func apusWithoutReader(_ arguments: [String]) throws -> ProgramResult {
  let words = arguments.map { "'\($0)'" }.joined(separator: " ")
  return try shell("{ trap '' PIPE; while printf x 2>/dev/null; do :; done; apus \(words); echo $? >&2; } | :")
}

/// Expects a refusal: this status, nothing on standard output, and all of these words on standard error.
func expectRefusal(
  _ result: ProgramResult,
  status: Int32,
  _ words: String...,
  at location: SourceLocation = #_sourceLocation
) {
  #expect(result.status == status, "\(result.error)", sourceLocation: location)
  #expect(result.output.isEmpty, sourceLocation: location)
  for word in words {
    #expect(result.error.contains(word), "'\(word)' in: \(result.error)", sourceLocation: location)
  }
}
