internal import Glibc
internal import Synchronization

/// How many machines run at once: as many as the host has processors, whatever the tests start side by side.
///
/// A test's time limits count from when its machine starts, so that a busy host makes it late and not wrong.
final class MachineSlots: Sendable {
  static let shared = MachineSlots(count: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  private struct State {
    var free: Int
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(free: count))
  }

  /// Waits for a slot, if one is needed, in the order of the calls, holds it for `body`, and gives it back.
  func withSlot<Result>(isNeeded: Bool, _ body: () async throws -> Result) async rethrows -> Result {
    guard isNeeded else { return try await body() }
    await take()
    defer { giveBack() }
    return try await body()
  }

  private func take() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.free > 0 else {
          state.waiters.append(continuation)
          return false
        }
        state.free -= 1
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  private func giveBack() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard !state.waiters.isEmpty else {
        state.free += 1
        return nil
      }
      return state.waiters.removeFirst()
    }
    next?.resume()
  }
}
