public import Apus
internal import Glibc
internal import Host
internal import Synchronization

/// Which machines run at once: as many vCPUs as the host has processors, and as much memory as it has free, whatever
/// is started side by side.
///
/// A test's time limits count from when its machine starts, so that a busy host makes it late and not wrong. One that
/// wants more than there is runs alone.
public final class MachineSlots: Sendable {
  /// Those of this process.
  public static let shared = MachineSlots(
    Need(cpus: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), memory: HostMemory().available / 8 * 7)
  )

  /// What a machine needs of its host.
  public struct Need: Sendable {
    /// Processors.
    public var cpus: Int
    /// Bytes.
    public var memory: UInt64

    /// What so many processors and so much memory are.
    public init(cpus: Int, memory: UInt64) {
      (self.cpus, self.memory) = (cpus, memory)
    }

    /// What a machine of that configuration needs, with what its process takes besides.
    public init(_ configuration: Configuration) {
      let (whole, overflow) = configuration.memorySize.addingReportingOverflow(Self.processMemory)
      self.init(cpus: configuration.cpuCount, memory: overflow ? .max : whole)
    }

    private static let processMemory: UInt64 = 48 << 20
  }

  private struct State {
    var free: Need
    var waiters: [(need: Need, resume: CheckedContinuation<Void, Never>)] = []
  }

  private let all: Need
  private let state: Mutex<State>

  /// Slots of their own, for so much in all.
  package init(_ all: Need) {
    self.all = all
    state = Mutex(State(free: all))
  }

  /// Waits until there is what the machine needs, in the order of the calls, holds it for `body`, and gives it back.
  ///
  /// - Parameters:
  ///   - need: or nil, for a machine beside another one that has its place: waiting for a second one would be waiting
  ///     for all others.
  ///   - body: runs the machine.
  /// - Throws: what `body` throws.
  public func withSlot<Result>(_ need: Need?, _ body: () async throws -> Result) async rethrows -> Result {
    guard var need else { return try await body() }
    need = Need(cpus: min(max(need.cpus, 1), all.cpus), memory: min(need.memory, all.memory))
    await take(need)
    defer { giveBack(need) }
    return try await body()
  }

  private func take(_ need: Need) async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.waiters.isEmpty, Self.fits(need, state.free) else {
          state.waiters.append((need, continuation))
          return false
        }
        Self.take(need, &state.free)
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  private func giveBack(_ need: Need) {
    let next = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.free.cpus += need.cpus
      state.free.memory += need.memory
      var next: [CheckedContinuation<Void, Never>] = []
      while let first = state.waiters.first, Self.fits(first.need, state.free) {
        Self.take(first.need, &state.free)
        next.append(state.waiters.removeFirst().resume)
      }
      return next
    }
    for waiter in next { waiter.resume() }
  }

  private static func fits(_ need: Need, _ free: Need) -> Bool { need.cpus <= free.cpus && need.memory <= free.memory }

  private static func take(_ need: Need, _ free: inout Need) {
    free.cpus -= need.cpus
    free.memory -= need.memory
  }
}
