internal import Glibc

/// Processes of the host, as /proc shows them.
public enum HostProcess {
  /// Whether the host's kernel has user namespaces, without which passt does not run.
  public static var hasUserNamespaces: Bool {
    // SAFETY: the path holds for the call.
    unsafe access("/proc/self/ns/user", F_OK) == 0
  }

  /// The children of a process that run a program of that name and have not ended.
  public static func children(of parent: Int32, named name: String) -> [Int32] {
    // SAFETY: the folder is open for the loop, and each entry is copied before the next call.
    guard let folder = unsafe opendir("/proc") else { return [] }
    defer { unsafe closedir(folder) }
    var children: [Int32] = []
    while let entry = unsafe readdir(folder) {
      let number = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      guard let process = Int32(number) else { continue }
      // "NUMBER (NAME) STATE PARENT …"
      let words = contents("/proc/\(number)/stat").split(separator: " ")
      guard words.count > 3, words[1] == "(\(name))", words[2] != "Z", words[3] == "\(parent)" else { continue }
      children.append(process)
    }
    return children
  }

  /// Whether a process is gone within a time; waits for it.
  public static func isGone(_ process: Int32, within seconds: Int) -> Bool {
    for _ in 0..<seconds * 100 {
      if kill(process, 0) != 0 || contents("/proc/\(process)/stat").contains(") Z ") { return true }
      usleep(10_000)
    }
    return false
  }

  /// A file's text; empty where there is none.
  public static func contents(_ path: String) -> String {
    // SAFETY: the path holds for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe read(file, &chunk, chunk.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }
}
