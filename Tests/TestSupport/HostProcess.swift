internal import Glibc
internal import TestLimits

/// Processes of the host, as /proc shows them.
public enum HostProcess {
  /// The children of a process that run a program of that name and have not ended.
  ///
  /// - Parameters:
  ///   - parent: the process's number.
  ///   - name: of the program's file, at most 15 bytes of it.
  ///   - argument: text that their arguments have, to tell those of one machine from another's.
  public static func children(of parent: Int32, named name: String, with argument: String? = nil) -> [Int32] {
    HostFiles.names(in: "/proc").compactMap(Int32.init).filter { process in
      // "NUMBER (NAME) STATE PARENT …"
      let words = HostFiles.text("/proc/\(process)/stat").split(separator: " ")
      return words.count > 3 && words[1] == "(\(name))" && words[2] != "Z" && words[3] == "\(parent)"
        && (argument.map { HostFiles.text("/proc/\(process)/cmdline").contains($0) } ?? true)
    }
  }

  /// Whether a process is gone within a time; waits for it.
  public static func isGone(_ process: Int32, within seconds: Int) -> Bool {
    let limit = TestLimit(.seconds(seconds), for: process)
    repeat {
      if kill(process, 0) != 0 || HostFiles.text("/proc/\(process)/stat").contains(") Z ") { return true }
      usleep(10_000)
    } while !limit.hasPassed
    return false
  }
}
