internal import Machine

/// Calls to the hypervisor by the SMC Calling Convention (ARM DEN 0028), with the instruction that the device tree
/// names.
public struct Firmware: Sendable {
  private let usesSMC: Bool

  public init() {
    usesSMC = DeviceTree.current.firstNode(named: "psci")?["method"]?.contains(text: "smc") ?? false
  }

  /// What a call gave, or `nil` if the call instruction itself is undefined.
  public func call(
    _ function: UInt32,
    _ first: UInt64 = 0,
    _ second: UInt64 = 0,
    _ third: UInt64 = 0
  ) -> (UInt64, UInt64, UInt64, UInt64)? {
    // SAFETY: the convention keeps all registers that the compiler expects to be kept; only CPU_ON names an address,
    // that of code that is written for it.
    let result = unsafe machine_smccc(usesSMC ? 1 : 0, UInt64(function), first, second, third)
    return result.undefined == 0 ? (result.x0, result.x1, result.x2, result.x3) : nil
  }

  /// PSCI 5.1.9 (ARM DEN 0022).
  public func systemOff() -> Never { finish(0x8400_0008) }

  /// PSCI 5.1.10.
  public func systemReset() -> Never { finish(0x8400_0009) }

  /// PSCI 5.1.4: starts a vCPU, which then calls `guest_secondary` with `index` (0...511).
  ///
  /// - Returns: PSCI's status: 0 for success, or a negative error.
  public func cpuOn(_ processor: UInt64, index: UInt64) -> Int64 {
    let result = call(0xC400_0003, processor, machine_secondary_start_address(), index)
    return Int64(bitPattern: result?.0 ?? UInt64(bitPattern: -1))
  }

  /// PSCI 5.1.3: stops the vCPU that calls.
  public func cpuOff() -> Never { finish(0x8400_0002) }

  private func finish(_ function: UInt32) -> Never {
    _ = call(function)
    while true { Processor.waitForInterrupt() }
  }
}
