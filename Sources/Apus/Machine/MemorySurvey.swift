internal import Glibc
import GuestMemory

/// How much memory the process has, from /proc/self/smaps_rollup.
enum MemorySurvey {
  /// Takes stock. What cannot be read counts as 0.
  ///
  /// - Parameter ofProcess: whether the process has this machine alone, so that all else of it is the machine's.
  static func take(guest: borrowing PrivateRAM, ofProcess: Bool) -> Report.Memory {
    var memory = Report.Memory()
    memory.guest = guest.range.size
    memory.guestResident = (try? guest.residentSize()) ?? 0
    guard ofProcess else { return memory }
    let fields = rollup()
    // The guest's RAM is anonymous memory; its DMA windows are the process's only shared memory.
    memory.vmmResident = fields.resident - min(memory.guestResident + fields.shared, fields.resident)
    memory.vmmPrivate = fields.anonymous - min(memory.guestResident, fields.anonymous)
    return memory
  }

  /// Sizes in bytes.
  private struct Fields {
    var resident: UInt64 = 0
    var anonymous: UInt64 = 0
    var shared: UInt64 = 0
  }

  /// Reads bytes and not characters, which would take ten times the instructions of all else at a run's end.
  private static func rollup() -> Fields {
    // SAFETY: the buffer is this call's own and its size goes along.
    let text = unsafe [UInt8](unsafeUninitializedCapacity: 2048) { buffer, count in
      let descriptor = unsafe open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return }
      defer { close(descriptor) }
      count = max(0, unsafe read(descriptor, buffer.baseAddress, buffer.count))
    }
    var fields = Fields()
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let name = line.prefix { $0 != UInt8(ascii: ":") }
      if name.elementsEqual("Rss".utf8) {
        fields.resident = size(in: line)
      } else if name.elementsEqual("Anonymous".utf8) {
        fields.anonymous = size(in: line)
      } else if name.elementsEqual("Pss_Shmem".utf8) {
        fields.shared = size(in: line)
      }
    }
    return fields
  }

  /// The one number of a line, which is in KiB.
  private static func size(in line: ArraySlice<UInt8>) -> UInt64 {
    let digits = line.lazy.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return digits.reduce(0) { $0 &* 10 &+ UInt64($1 - UInt8(ascii: "0")) } << 10
  }
}
