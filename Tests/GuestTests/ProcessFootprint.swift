import CTestSupport
import Glibc
import TestLimits
import TestSupport

/// What this process holds of the system.
struct ProcessFootprint {
  /// What each open descriptor leads to, but for the one that looks.
  let descriptors: [String]
  /// The threads' names.
  let threads: [String]
  /// What is in the folders for temporary and shared files.
  let files: [String]
  /// Bytes that belong to this process alone.
  let privateMemory: Int

  /// What is held once the thread that told of a machine's end has ended too: `threads` of them are left then, unless
  /// that takes far too long.
  static func settled(threads: Int) -> ProcessFootprint {
    let limit = TestLimit(.seconds(10))
    while !limit.hasPassed {
      let footprint = ProcessFootprint()
      if footprint.threads.count <= threads { return footprint }
      usleep(100_000)
    }
    return ProcessFootprint()
  }

  init() {
    // What the allocator keeps for later is not held for anything.
    ctest_trim_allocator()
    descriptors = HostFiles.names(in: "/proc/self/fd").map { Self.target(of: "/proc/self/fd/\($0)") }
      .filter { !$0.hasPrefix("/proc/") }.sorted()
    threads = HostFiles.names(in: "/proc/self/task").map { HostFiles.text("/proc/self/task/\($0)/comm") }.sorted()
    files = ["/dev/shm", "/tmp"].flatMap { folder in HostFiles.names(in: folder).map { "\(folder)/\($0)" } }.sorted()
    privateMemory = Self.privateMemory()
  }

  private static func target(of link: String) -> String {
    var buffer = [CChar](repeating: 0, count: 512)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe readlink(link, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func privateMemory() -> Int {
    let lines = HostFiles.text("/proc/self/smaps_rollup").split(separator: "\n")
    return lines.filter { $0.hasPrefix("Private_") }.compactMap { line in
      line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }.reduce(0, +) << 10
  }

  /// Bytes of files in memory (memfds, mostly) that this process has mapped pages of.
  static var sharedMemory: UInt64 {
    let line = HostFiles.text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("RssShmem:") }
    return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { UInt64($0) }
      .map { $0 << 10 } ?? 0
  }
}
