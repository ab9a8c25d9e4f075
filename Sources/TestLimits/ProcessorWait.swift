internal import Glibc
internal import Synchronization

/// How long threads that could run had to wait for a processor, as the kernel counts it.
final class ProcessorWait: Sendable {
  /// How old a sum may be: each costs the reading of a file for each thread.
  static let interval = Duration.seconds(1)

  static let ownProcess = ProcessorWait { threadWaits(of: getpid()) }

  /// The emulated host's processors are threads of a program, which cannot be seen from inside:
  /// `Guests/EmulatedHost/run` tells the sum by a file.
  static let emulatedHost = ProcessorWait {
    guard let path = EmulatedHost.lostTimePath, let text = read(path), let number = Int64(text) else { return [:] }
    return [0: .milliseconds(number)]
  }

  private struct State {
    var looked: ContinuousClock.Instant?
    var total = Duration.zero
    var waits: [Int32: Duration] = [:]
  }

  private let state = Mutex(State())
  private let list: @Sendable () -> [Int32: Duration]

  convenience init(ofProcess process: Int32) {
    self.init { Self.threadWaits(of: process) }
  }

  /// - Parameter list: what each thread has waited since its start.
  private init(_ list: @escaping @Sendable () -> [Int32: Duration]) {
    self.list = list
  }

  /// The sum since the first look: at each time, that of the thread that waited longest.
  ///
  /// - Parameter isFresh: whether it has to be up to now, or may be up to an ``interval`` ago.
  func total(freshly isFresh: Bool) -> Duration {
    state.withLock { state in
      let now = ContinuousClock.now
      if !isFresh, let looked = state.looked, now - looked < Self.interval { return state.total }
      let waits = list()
      if state.looked != nil {
        state.total +=
          waits.map { $0.value - state.waits[$0.key, default: .zero] }.max().map { max($0, .zero) } ?? .zero
      }
      state.waits = waits
      state.looked = now
      return state.total
    }
  }

  private static func threadWaits(of process: Int32) -> [Int32: Duration] {
    // SAFETY: the folder is open for the loop, and each name is copied before the next call.
    guard let folder = unsafe opendir("/proc/\(process)/task") else { return [:] }
    defer { unsafe closedir(folder) }
    var waits: [Int32: Duration] = [:]
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      guard let thread = Int32(name) else { continue }
      // Nanoseconds on a processor, nanoseconds waiting for one, times on one. A kernel may not count: nothing is left
      // out then.
      let words = read("/proc/\(process)/task/\(name)/schedstat")?.split(separator: " ")
      if let words, words.count > 1, let wait = Int64(words[1]) { waits[thread] = .nanoseconds(wait) }
    }
    return waits
  }

  /// A short file's first line.
  private static func read(_ path: String) -> Substring? {
    // SAFETY: the path holds for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 128)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe Glibc.read(file, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").first : nil
  }
}

/// The emulated arm64 KVM host, as what runs on it sees it.
enum EmulatedHost {
  /// The file that says how many milliseconds the host waited for a processor; nil where this is no such host.
  static let lostTimePath: String? = {
    // SAFETY: nothing in a test changes the environment.
    unsafe getenv("APUS_LOST_TIME").map { unsafe String(cString: $0) }
  }()
}
