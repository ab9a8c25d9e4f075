import Glibc

/// What this process holds of the system.
struct ProcessFootprint {
  /// What each open descriptor leads to, but for the one that looks.
  let descriptors: [String]
  /// How many threads there are.
  let threads: Int
  /// What is in the folders for temporary and shared files.
  let files: [String]
  /// Bytes that belong to this process alone.
  let privateMemory: Int

  init() {
    descriptors = Self.entries(of: "/proc/self/fd").map { Self.target(of: "/proc/self/fd/\($0)") }
      .filter { !$0.hasPrefix("/proc/") }.sorted()
    threads = Self.entries(of: "/proc/self/task").count
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
    // SAFETY: texts and buffer hold for the calls, and the buffer's size goes along.
    guard let file = unsafe fopen("/proc/self/smaps_rollup", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe fread(&buffer, 1, buffer.count, file)
    let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
    return lines.filter { $0.hasPrefix("Private_") }.compactMap { line in
      line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }.reduce(0, +) << 10
  }
}
