internal import CLinux
internal import Glibc
import GuestMemory

/// How much memory the process has, from /proc/self/smaps_rollup.
enum MemorySurvey {
  /// Takes stock. What cannot be read counts as 0.
  static func take(guest: borrowing PrivateRAM) -> Report.Memory {
    var memory = Report.Memory()
    memory.guest = guest.range.size
    memory.guestResident = (try? guest.residentSize()) ?? 0
    let fields = rollup()
    // The guest's RAM is anonymous memory; its DMA windows are the process's only shared memory.
    let resident = fields["Rss"] ?? 0
    let anonymous = fields["Anonymous"] ?? 0
    memory.vmmResident = resident - min(memory.guestResident + (fields["Pss_Shmem"] ?? 0), resident)
    memory.vmmPrivate = anonymous - min(memory.guestResident, anonymous)
    return memory
  }

  /// The fields in bytes.
  private static func rollup() -> [Substring: UInt64] {
    // SAFETY: the buffer is this call's own and its size goes along.
    let text = unsafe withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 1) { buffer in
      let descriptor = unsafe open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return "" }
      defer { close(descriptor) }
      let count = unsafe read(descriptor, buffer.baseAddress, buffer.count)
      return unsafe String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
    var fields: [Substring: UInt64] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count == 3, words[2] == "kB", let size = UInt64(words[1]) else { continue }
      fields[words[0].dropLast()] = size << 10
    }
    return fields
  }
}
