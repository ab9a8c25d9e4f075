import CHost
import CTestSupport
import Glibc
import Snapshot
import TestSupport
import Testing

/// Writers that die or are refused something on the way, in processes of their own.
///
/// What such a process is to do stands in a folder that is known to it by its parent's number: nothing else reaches it.
@Suite(.serialized) struct SnapshotCrashTests {
  private static func folder(of process: pid_t) -> String { "/tmp/apus-test-crash-\(process)" }

  private let folder = Self.folder(of: getpid())
  private var path: String { "\(folder)/snapshot" }

  init() {
    clean()
    // SAFETY: the path holds for the call.
    _ = unsafe mkdir(folder, 0o700)
  }

  private func clean() {
    _ = try? Program(path: "/bin/rm", ["-rf", folder]).run()
  }

  private func names() throws -> [String] {
    let listed = try Program(path: "/bin/ls", ["-A", folder]).run()
    return listed.output.split(separator: "\n" as Character).map(String.init)
  }

  /// Calls at which a writer dies: up to the last but one the old snapshot is whole, and then the new one.
  static let calls = [
    ctest_call_mkdirat, ctest_call_openat, ctest_call_ftruncate, ctest_call_pwrite, ctest_call_write, ctest_call_fsync,
    ctest_call_rename, ctest_call_unlinkat,
  ]

  @Test func aWriterThatDiesAnywhereLeavesTheOldSnapshotOrTheNewOne() async throws {
    defer { clean() }
    let memory = TestMemory(pages: 8)
    memory.fill(1, 1)
    for (number, call) in Self.calls.enumerated() {
      let old = try write(path, memory, replacing: true)
      // SAFETY: the paths hold for the calls.
      _ = unsafe unlink("\(folder)/call")
      try #require(unsafe symlink("\(number)", "\(folder)/call") == 0)

      await #expect(processExitsWith: .signal(SIGSYS)) {
        let folder = SnapshotCrashTests.folder(of: getppid())
        var text = [CChar](repeating: 0, count: 8)
        // SAFETY: path and buffer hold for the call, and the buffer ends with a zero.
        _ = unsafe readlink("\(folder)/call", &text, 7)
        let call = unsafe SnapshotCrashTests.calls[Int(atoi(text))]
        let memory = TestMemory(pages: 8)
        memory.fill(2, 2)
        precondition(ctest_die_at(call) == 0, "there is no way to die")
        try write("\(folder)/snapshot", memory, replacing: true)
      }

      let found = try SnapshotReader(path)
      #expect((found.manifest == old) == (call != ctest_call_unlinkat), "\(number)")
      #expect(try found.damagedMemory().isEmpty)
    }

    try write(path, memory, replacing: true)
    #expect(try names().sorted() == ["call", "snapshot"])
  }

  @Test func aChildOfAUsersHiddenProcessKnowsWhichPagesThereAre() async throws {
    defer { clean() }
    // SAFETY: the path holds for the call.
    #expect(unsafe chmod(folder, 0o777) == 0)

    await #expect(processExitsWith: .success) {
      let path = "\(SnapshotCrashTests.folder(of: getppid()))/snapshot"
      let memory = TestMemory(pages: 1000)
      for page in [3, 4, 500] { memory.fill(page, 1) }
      // Nobody, where this is root; who takes another user's rights has hidden memory.
      if getuid() == 0 { precondition(setuid(65534) == 0, "there is no other user") }
      precondition(chost_process_hide_memory() == 0, "memory can't be hidden")

      let writer = try SnapshotWriter(path)
      let image = try writer.addMemory(testRegion(memory), .privately(base: memory.address, unmapped: []))
      try MemoryChild(writing: [image]).end()

      precondition(image.stored == UInt64(3 * TestMemory.pageSize), "other pages were written")
    }
  }

  @Test func aFileSystemThatTakesNoMoreIsToldAndLeavesNothing() async throws {
    defer { clean() }

    await #expect(processExitsWith: .success) {
      let path = "\(SnapshotCrashTests.folder(of: getppid()))/snapshot"
      let memory = TestMemory(pages: 100)
      for page in 0..<100 { memory.fill(page, 1) }
      signal(SIGXFSZ, SIG_IGN)
      // RLIMIT_FSIZE, which the C library shows as another type than its functions take: no file may have more.
      var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
      // SAFETY: the structure holds for the call.
      precondition(unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0, "there is no limit")

      for isInChild in [false, true] {
        do {
          let writer = try SnapshotWriter(path)
          let image = try writer.addMemory(testRegion(memory), .all(base: memory.address))
          if isInChild { try MemoryChild(writing: [image]).end() } else { try image.write() }
          preconditionFailure("nothing was refused")
        } catch {
          precondition(error as? SnapshotError == .host(.write, path: path, errno: EFBIG), "\(error)")
        }
      }
    }

    #expect(try names().isEmpty)
  }
}
