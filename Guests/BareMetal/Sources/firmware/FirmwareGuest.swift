internal import Support

/// Asks the hypervisor for every function of PSCI, SMCCC, TRNG, paravirtual time and the vendor's range, one line each:
///
///     NAME 0xFUNCTION = RESULT…
///
/// FUNCTION is the identifier that is called, or for NAME `…_FEATURES.OF` the one that is asked about. RESULT is x0,
/// for some functions followed by x1 to x3: negative error codes in decimal, all else in hexadecimal, or `undefined`.
@_cdecl("guest_main")
func main() {
  let firmware = Firmware()
  let console = Console()
  askPSCI(firmware, console)
  askCallingConvention(firmware, console)
  askEntropy(firmware, console)
  askParavirtualTime(firmware, console)
  askVendor(firmware, console)
  firmware.systemOff()
}

/// ARM DEN 0022, table of functions.
private func askPSCI(_ firmware: Firmware, _ console: Console) {
  console.line("PSCI_VERSION", 0x8400_0000, firmware.call(0x8400_0000))
  console.line("PSCI_MIGRATE_INFO_TYPE", 0x8400_0006, firmware.call(0x8400_0006))
  func features(_ name: StaticString, _ function: UInt32) {
    console.line("PSCI_FEATURES.", of: name, function, firmware.call(0x8400_000A, UInt64(function)))
  }
  features("PSCI_VERSION", 0x8400_0000)
  features("CPU_SUSPEND", 0x8400_0001)
  features("CPU_SUSPEND_64", 0xC400_0001)
  features("CPU_OFF", 0x8400_0002)
  features("CPU_ON", 0x8400_0003)
  features("CPU_ON_64", 0xC400_0003)
  features("AFFINITY_INFO", 0x8400_0004)
  features("AFFINITY_INFO_64", 0xC400_0004)
  features("MIGRATE", 0x8400_0005)
  features("MIGRATE_64", 0xC400_0005)
  features("MIGRATE_INFO_TYPE", 0x8400_0006)
  features("MIGRATE_INFO_UP_CPU", 0x8400_0007)
  features("MIGRATE_INFO_UP_CPU_64", 0xC400_0007)
  features("SYSTEM_OFF", 0x8400_0008)
  features("SYSTEM_RESET", 0x8400_0009)
  features("PSCI_FEATURES", 0x8400_000A)
  features("CPU_FREEZE", 0x8400_000B)
  features("CPU_DEFAULT_SUSPEND", 0x8400_000C)
  features("CPU_DEFAULT_SUSPEND_64", 0xC400_000C)
  features("NODE_HW_STATE", 0x8400_000D)
  features("NODE_HW_STATE_64", 0xC400_000D)
  features("SYSTEM_SUSPEND", 0x8400_000E)
  features("SYSTEM_SUSPEND_64", 0xC400_000E)
  features("PSCI_SET_SUSPEND_MODE", 0x8400_000F)
  features("PSCI_STAT_RESIDENCY", 0x8400_0010)
  features("PSCI_STAT_RESIDENCY_64", 0xC400_0010)
  features("PSCI_STAT_COUNT", 0x8400_0011)
  features("PSCI_STAT_COUNT_64", 0xC400_0011)
  features("SYSTEM_RESET2", 0x8400_0012)
  features("SYSTEM_RESET2_64", 0xC400_0012)
  features("MEM_PROTECT", 0x8400_0013)
  features("MEM_PROTECT_CHECK_RANGE", 0x8400_0014)
  features("MEM_PROTECT_CHECK_RANGE_64", 0xC400_0014)
  features("SYSTEM_OFF2", 0x8400_0015)
  features("SYSTEM_OFF2_64", 0xC400_0015)
  features("SMCCC_VERSION", 0x8000_0000)
}

/// ARM DEN 0028, chapter 7.
private func askCallingConvention(_ firmware: Firmware, _ console: Console) {
  console.line("SMCCC_VERSION", 0x8000_0000, firmware.call(0x8000_0000))
  func features(_ name: StaticString, _ function: UInt32) {
    console.line("SMCCC_ARCH_FEATURES.", of: name, function, firmware.call(0x8000_0001, UInt64(function)))
  }
  features("SMCCC_VERSION", 0x8000_0000)
  features("SMCCC_ARCH_FEATURES", 0x8000_0001)
  features("SMCCC_ARCH_SOC_ID", 0x8000_0002)
  features("SMCCC_ARCH_FEATURE_AVAILABILITY", 0x8000_0003)
  features("SMCCC_ARCH_WORKAROUND_1", 0x8000_8000)
  features("SMCCC_ARCH_WORKAROUND_2", 0x8000_7FFF)
  features("SMCCC_ARCH_WORKAROUND_3", 0x8000_3FFF)
  features("SMCCC_ARCH_WORKAROUND_4", 0x8000_0004)
  features("PV_TIME_FEATURES", 0xC500_0020)
}

/// ARM DEN 0098.
private func askEntropy(_ firmware: Firmware, _ console: Console) {
  console.line("TRNG_VERSION", 0x8400_0050, firmware.call(0x8400_0050))
  func features(_ name: StaticString, _ function: UInt32) {
    console.line("TRNG_FEATURES.", of: name, function, firmware.call(0x8400_0051, UInt64(function)))
  }
  features("TRNG_VERSION", 0x8400_0050)
  features("TRNG_FEATURES", 0x8400_0051)
  features("TRNG_GET_UUID", 0x8400_0052)
  features("TRNG_RND", 0x8400_0053)
  features("TRNG_RND_64", 0xC400_0053)
  console.line("TRNG_GET_UUID", 0x8400_0052, firmware.call(0x8400_0052), words: 4)
  // In bits: as many as the function can give.
  console.line("TRNG_RND", 0x8400_0053, firmware.call(0x8400_0053, 96), words: 4)
  console.line("TRNG_RND_64", 0xC400_0053, firmware.call(0xC400_0053, 192), words: 4)
}

/// ARM DEN 0057.
private func askParavirtualTime(_ firmware: Firmware, _ console: Console) {
  func features(_ name: StaticString, _ function: UInt32) {
    console.line("PV_TIME_FEATURES.", of: name, function, firmware.call(0xC500_0020, UInt64(function)))
  }
  features("PV_TIME_FEATURES", 0xC500_0020)
  features("PV_TIME_ST", 0xC500_0021)
  console.line("PV_TIME_ST", 0xC500_0021, firmware.call(0xC500_0021))
}

/// The vendor-specific hypervisor service, with KVM's functions (Linux, include/linux/arm-smccc.h).
private func askVendor(_ firmware: Firmware, _ console: Console) {
  console.line("VENDOR_HYP_CALL_UID", 0x8600_FF01, firmware.call(0x8600_FF01), words: 4)
  console.line("VENDOR_HYP_KVM_FEATURES", 0x8600_0000, firmware.call(0x8600_0000), words: 4)
  // x1 asks for the virtual counter.
  console.line("VENDOR_HYP_KVM_PTP", 0x8600_0001, firmware.call(0x8600_0001, 0), words: 4)
  console.line("VENDOR_HYP_KVM_DISCOVER_IMPL_VER", 0xC600_0040, firmware.call(0xC600_0040), words: 4)
}

extension Console {
  fileprivate func line(
    _ name: StaticString,
    of asked: StaticString = "",
    _ function: UInt32,
    _ result: (UInt64, UInt64, UInt64, UInt64)?,
    words: Int = 1
  ) {
    put(name)
    put(asked)
    put(" ")
    put(hexadecimal: UInt64(function), digits: 8)
    put(" =")
    if let result {
      put(" ")
      // A 32-bit function gives its result in the low half; what is above means nothing.
      let isWide = function & 1 << 30 != 0
      put(result: isWide ? Int64(bitPattern: result.0) : Int64(Int32(truncatingIfNeeded: result.0)), isWide: isWide)
      if words == 4 {
        put(" ")
        put(hexadecimal: result.1)
        put(" ")
        put(hexadecimal: result.2)
        put(" ")
        put(hexadecimal: result.3)
      }
    } else {
      put(" undefined")
    }
    put("\n")
  }
}
