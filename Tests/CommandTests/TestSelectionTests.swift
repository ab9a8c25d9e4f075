import TestSupport
import Testing

/// What `apus test` would run of what it was given, and what it joins.
@Suite struct TestSelectionTests {
  /// `apus test --list` with a kernel and an initramfs, which needs no busybox.
  private func list(_ words: [String]) throws -> ProgramResult {
    let kernel = try TemporaryFile(linuxImage())
    return try apus(["test", "--kernel", kernel.path, "--initrd", kernel.path, "--list"] + words)
  }

  /// A folder with a list as the kernel's `make install` of its own tests makes it.
  private func kselftests() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("kselftest-list.txt", Array("timers:nanosleep\ntimers:raw_skew\nsize:get_size\n".utf8))
    return folder
  }

  @Test func eachScriptOfSeveralIsATest() throws {
    let folder = try TemporaryFolder()
    let script = try folder.write("test.sh", [], permissions: 0o755)

    let result = try list(["--run", script, "--run", script, "--module", script, "--module", script])

    #expect((result.status, result.output) == (0, "test.sh\ntest.sh#2\n"), "\(result.error)")
  }

  @Test(arguments: [
    ([], "timers:nanosleep\ntimers:raw_skew\nsize:get_size\n"),
    (["--only", "size"], "size:get_size\n"),
    (["--only", "timers:nanosleep", "--only", "size"], "timers:nanosleep\nsize:get_size\n"),
    (["--only", "timers", "--shard", "2/2"], "timers:raw_skew\n"),
  ])
  func aCollectionsTestsAreThoseThatAreMeant(words: [String], expected: String) throws {
    let folder = try kselftests()

    let result = try list(["--directory", folder.path] + words)

    #expect((result.status, result.output) == (0, expected), "\(result.error)")
  }

  @Test(arguments: ["timer", "timers:nano", "", "size:"])
  func aNameThatNoTestHasIsRefused(name: String) throws {
    let folder = try kselftests()

    let result = try list(["--directory", folder.path, "--only", name])

    expectRefusal(result, status: 64, "--only: no test has the name '\(name)'")
  }

  @Test func aPartWhoseReportIsEmptyHasNotReported() throws {
    let folder = try TemporaryFolder()
    let shard = #""shard":{"index":1,"count":2,"fingerprint":"0123456789abcdef","total":2,"items":["a"]}"#
    let run = #""runs":[{"name":"a","results":[{"name":"t","outcome":"passed"}]}]"#
    let whole = try folder.write("1.json", Array(#"{"apusTestReport":1,\#(shard),\#(run)}"#.utf8))
    let alone = try folder.write("alone.json", Array(#"{"apusTestReport":1,\#(run)}"#.utf8))
    let empty = try folder.write("2.json", [])

    let result = try apus(["test", "merge", whole, empty])
    let other = try apus(["test", "merge", alone, empty])
    let nothing = try apus(["test", "merge", empty])

    #expect(result.status == 1)
    #expect(result.output.contains("shard 2/2 never reported"))
    #expect(result.error.contains("'\(empty)' is empty: its part has ended before it could write its report"))
    #expect((other.status, nothing.status) == (65, 65))
  }
}
