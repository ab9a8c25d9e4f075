internal import CHost
import Glibc
import TestSupport
import Testing

/// Whether there is a bash to complete for: the emulated host has none.
private let hasBash = HostFiles.mode(of: "/bin/bash") != nil

/// What a shell completes, by the script that the command makes for it.
@Suite(.enabled(if: hasBash, "there is no bash here")) struct CompletionTests {
  private let folder: TemporaryFolder
  private let listener: Int32

  /// A folder of machines with one that listens, and one that has gone.
  init() throws {
    folder = try TemporaryFolder()
    let machines = try folder.makeFolder("apus")
    // SAFETY: the paths hold for the calls.
    try #require(unsafe chmod(machines, 0o700) == 0)
    listener = unsafe chost_socket_listen(machines + "/one", 1, true)
    try #require(listener >= 0)
    let stale = unsafe chost_socket_listen(machines + "/gone", 1, true)
    try #require(stale >= 0)
    close(stale)
    let programs = try folder.makeFolder("bin")
    try #require(unsafe symlink(command, programs + "/apus") == 0)
  }

  /// What bash offers behind these words.
  private func offers(_ words: String...) throws -> [String] {
    defer { close(listener) }
    let script = """
      export XDG_RUNTIME_DIR='\(folder.path)' PATH="\(folder.path)/bin:$PATH"
      source <(apus --generate-completion-script bash)
      COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " "))) COMP_CWORD=\(words.count - 1)
      COMP_LINE='\(words.joined(separator: " "))' COMP_POINT=\(words.joined(separator: " ").utf8.count)
      _apus apus '\(words[words.count - 1])' '\(words[words.count - 2])'
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let result = try Program(path: "/bin/bash", ["-c", script]).run()
    #expect(result.status == 0, "\(result.error)")
    return result.output.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  @Test func aRunningMachineIsOfferedAndOneThatHasGoneIsNot() throws {
    #expect(try offers("apus", "console", "") == ["one"])
  }

  @Test func methodsAreOfferedBehindTheMachine() throws {
    #expect(try offers("apus", "control", "one", "pa") == ["pause"])
  }

  @Test func commandsAreOffered() throws {
    #expect(try Set(offers("apus", "co")).isSuperset(of: ["control", "console"]))
  }
}
