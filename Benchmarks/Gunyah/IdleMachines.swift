import Apus
internal import CCounts
internal import Glibc

/// Two machines beside each other that have nothing to do.
enum IdleMachines {
  /// How long they are watched, in seconds.
  private static let duration: UInt32 = 20

  /// What they and this program take, and how often other threads than this one go to sleep: JSON.
  static func measure(_ configuration: Fleet.Configuration, _ counters: Counters) async throws -> String {
    let fleet = try Fleet(configuration)
    fleet.start()
    for machine in fleet.machines {
      var lines = machine.console.lines.makeAsyncIterator()
      guard await lines.next() != nil else { fatalError("the guest says nothing") }
    }
    // The watchdog looks ever more seldom, at last every two seconds.
    sleep(10)
    let (sleeps, start) = (sleeps(), counters.counts)
    sleep(duration)
    let costs = counters.counts.since(start)
    let wakes = Self.sleeps() - sleeps
    fleet.stop()
    _ = await fleet.report
    return "{\"user\": \(costs.user), \"kernel\": \(costs.kernel), \"wakes\": \(wakes)}"
  }

  /// How often the other threads went to sleep so far.
  private static func sleeps() -> Int {
    var count = 0
    // SAFETY: the path is a string of this call's.
    guard let folder = unsafe opendir("/proc/self/task") else { fatalError("no /proc") }
    // SAFETY: opened above; an entry is looked at before the next one is read.
    while let entry = unsafe readdir(folder) {
      // SAFETY: as above; the name ends with a zero.
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let number = Int32(name), number != counts_thread() else { continue }
      let lines = contents("/proc/self/task/\(name)/status").split(separator: "\n")
      let line = lines.first { $0.hasPrefix("voluntary_ctxt_switches:") }
      count += line?.split(separator: "\t").last.flatMap { Int($0) } ?? 0
    }
    // SAFETY: opened above.
    unsafe closedir(folder)
    return count
  }

  private static func contents(_ path: String) -> String {
    // SAFETY: the path is a string of this call's.
    let descriptor = unsafe open(path, O_RDONLY)
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 8192)
    // SAFETY: as many bytes as the buffer has.
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}
