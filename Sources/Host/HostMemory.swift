internal import CHost
internal import Glibc

/// How much memory the host has left for this process.
///
/// It looks at the host as a whole (MemAvailable) and at each control group (version 2) above the process that had a
/// limit when the object was made. For one thread.
package final class HostMemory {
  /// The folder of a control group that has a limit.
  private let groups: [String]
  private let statistics: String

  /// - Parameters:
  ///   - processes: where the kernel's files of processes and of memory are.
  ///   - controlGroups: where the hierarchy of control groups is mounted.
  package init(processes: String = "/proc", controlGroups: String = "/sys/fs/cgroup") {
    statistics = processes + "/meminfo"
    groups = Self.limitedGroups(processes + "/self/cgroup", controlGroups)
  }

  /// Whether there are so many bytes. What is free is told for less work than what could be, and may suffice.
  package func has(_ size: UInt64) -> Bool {
    (groups.isEmpty && chost_free_memory() >= size) || available >= size
  }

  /// How many bytes there are, by the kernel's estimate; what is in caches that it would give up counts. Where the
  /// kernel tells nothing, there is no limit to be seen.
  package var available: UInt64 {
    var available = Self.value(of: "MemAvailable:", in: Self.read(statistics)).map { $0 << 10 } ?? .max
    for group in groups {
      // One that is lifted meanwhile limits nothing.
      guard let limit = Self.number(Self.read(group + "/memory.max")),
        let current = Self.number(Self.read(group + "/memory.current"))
      else { continue }
      let cached = Self.value(of: "inactive_file ", in: Self.read(group + "/memory.stat")) ?? 0
      available = min(available, limit - min(limit, current - min(current, cached)))
    }
    return available
  }

  private static func limitedGroups(_ membership: String, _ root: String) -> [String] {
    // Version 2 has one hierarchy, number 0, without controllers' names.
    guard let line = read(membership).split(separator: newline).first(where: { $0.starts(with: "0::/".utf8) }) else {
      return []
    }
    var group = root
    var groups: [String] = []
    for name in line.dropFirst(4).split(separator: UInt8(ascii: "/")) {
      group += "/" + HostPath.text(name)
      if number(read(group + "/memory.max")) != nil { groups.append(group) }
    }
    return groups
  }

  private static let newline = UInt8(ascii: "\n")

  /// The number behind a name at the beginning of a line.
  private static func value(of name: String, in text: [UInt8]) -> UInt64? {
    for line in text.split(separator: newline) where line.starts(with: name.utf8) {
      return number(line.dropFirst(name.utf8.count))
    }
    return nil
  }

  /// The digits, with other characters around them but before none: `max` is no number.
  private static func number(_ text: some Sequence<UInt8>) -> UInt64? {
    let digits = text.drop { $0 == UInt8(ascii: " ") }.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    var number: UInt64?
    for digit in digits { number = (number ?? 0) &* 10 &+ UInt64(digit - UInt8(ascii: "0")) }
    return number
  }

  /// A file of the kernel's, or nothing where it cannot be read.
  private static func read(_ path: String) -> [UInt8] {
    // SAFETY: the path holds for the call; the buffer is this call's own and its size goes along.
    unsafe [UInt8](unsafeUninitializedCapacity: 8192) { buffer, count in
      let descriptor = unsafe path.withHostPath { unsafe chost_open_for_reading($0) }
      guard descriptor >= 0 else { return }
      defer { close(descriptor) }
      count = max(0, unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count))
    }
  }
}
