import CTestSupport
import Glibc

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
  /// that takes longer than two seconds.
  static func settled(threads: Int) -> ProcessFootprint {
    for _ in 0..<20 {
      let footprint = ProcessFootprint()
      if footprint.threads.count <= threads { return footprint }
      usleep(100_000)
    }
    return ProcessFootprint()
  }

  init() {
    // What the allocator keeps for later is not held for anything.
    ctest_trim_allocator()
    descriptors = Self.entries(of: "/proc/self/fd").map { Self.target(of: "/proc/self/fd/\($0)") }
      .filter { !$0.hasPrefix("/proc/") }.sorted()
    threads = Self.entries(of: "/proc/self/task").map { Self.text(of: "/proc/self/task/\($0)/comm") }.sorted()
    files = ["/dev/shm", "/tmp"].flatMap { folder in Self.entries(of: folder).map { "\(folder)/\($0)" } }.sorted()
    privateMemory = Self.privateMemory()
  }

  private static func entries(of folder: String) -> [String] {
    // SAFETY: the folder is open for the loop, and each entry is copied before the next call.
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func target(of link: String) -> String {
    var buffer = [CChar](repeating: 0, count: 512)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe readlink(link, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func privateMemory() -> Int {
    let lines = text(of: "/proc/self/smaps_rollup").split(separator: "\n")
    return lines.filter { $0.hasPrefix("Private_") }.compactMap { line in
      line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }.reduce(0, +) << 10
  }

  private static func text(of path: String) -> String {
    // SAFETY: texts and buffer hold for the calls, and the buffer's size goes along.
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer[..<count], as: UTF8.self)
  }
}
