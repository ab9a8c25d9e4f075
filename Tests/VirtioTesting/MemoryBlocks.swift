public import VirtioDevices

/// A memory device's back-end that only notes what it is asked for, and may refuse or take its time.
public final class MemoryBlocks: MemoryBackend, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public enum Call: Equatable, Sendable {
    case plug(Range<Int>)
    case unplug(Range<Int>)
    case unplugAll
  }

  /// What was asked for, answers included that did nothing.
  public private(set) var calls: [Call] = []
  /// Which blocks the guest has.
  public private(set) var plugged: Set<Int> = []
  /// How the next calls are answered.
  public var answer = MemoryAnswer.done

  public init() {}

  public func plug(_ blocks: Range<Int>) -> MemoryAnswer {
    note(.plug(blocks))
    guard answer == .done else { return answer }
    precondition(plugged.isDisjoint(with: blocks), "only what is unplugged is plugged")
    plugged.formUnion(blocks)
    return .done
  }

  public func unplug(_ blocks: Range<Int>) -> MemoryAnswer {
    note(.unplug(blocks))
    guard answer == .done else { return answer }
    precondition(plugged.isSuperset(of: blocks), "only what is plugged is unplugged")
    plugged.subtract(blocks)
    return .done
  }

  public func unplugAll() -> MemoryAnswer {
    note(.unplugAll)
    guard answer == .done else { return answer }
    plugged = []
    return .done
  }

  private func note(_ call: Call) {
    // A guest may ask for ever.
    if calls.count < 1000 { calls.append(call) }
  }

  /// As at the beginning, but for what is plugged.
  public func forget() {
    calls = []
    answer = .done
  }
}
