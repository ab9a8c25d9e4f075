extension ProcessorModel {
  /// The models that come with this program, in the order of their names.
  public static var shipped: [ProcessorModel] { [baseline, cortexA76, neoverseN1] }

  /// Their names.
  public static let shippedNames = [baselineName, "cortex-a76", "neoverse-n1"]

  /// The shipped model of that name.
  public static func shipped(named name: String) -> ProcessorModel? {
    // Asked by name so that only one is made.
    switch name {
    case baselineName: baseline
    case "cortex-a76": cortexA76
    case "neoverse-n1": neoverseN1
    default: nil
    }
  }

  private static let baselineName = "armv8.0-baseline"

  /// What AArch32 programs find, and how caches are read: no model is more exact than the host.
  private static let narrow: [Register] =
    IDRegisters.narrow.map { Register(name: $0.name, fields: nil) } + [Register(name: "CTR_EL0", fields: nil)]

  private static func register(_ name: String, _ fields: KeyValuePairs<String, Rule>, fixed: [String] = []) -> Register
  {
    Register(
      name: name,
      fields: fields.map { Field(name: $0.key, rule: $0.value, isShownWhereFixed: fixed.contains($0.key)) }
    )
  }

  /// Armv8.0 with what every arm64 host may have or not: CRC32 and cryptography as the host has them.
  private static var baseline: ProcessorModel {
    var model = ProcessorModel(name: baselineName)
    model.summary = "Armv8.0: what every arm64 KVM since Linux 5.15 can give"
    model.showsFixedFields = true
    model.psciVersion = 0x1_0000
    model.services = ["TRNG_V1_0", "PV_TIME", "FUNC_FEAT", "PTP"]
    model.registers =
      [
        register(
          "ID_AA64PFR0_EL1",
          [
            "EL0": .atMost(2), "EL1": .atMost(2), "FP": .atMost(0), "AdvSIMD": .atMost(0), "GIC": .host, "CSV2": .host,
            "CSV3": .host,
          ]
        ),
        register(
          "ID_AA64DFR0_EL1",
          ["DebugVer": .value(6), "BRPs": .host, "WRPs": .host, "CTX_CMPs": .host, "DoubleLock": .host, "MTPMU": .host]
        ),
        register(
          "ID_AA64ISAR0_EL1",
          ["AES": .atMost(2), "SHA1": .atMost(1), "SHA2": .atMost(1), "CRC32": .atMost(1)]
        ),
        register(
          "ID_AA64MMFR0_EL1",
          [
            "PARange": .atMost(2), "ASIDBits": .host, "BigEnd": .host, "SNSMem": .host, "BigEndEL0": .host,
            "TGran16": .atMost(1), "TGran64": .atMost(0), "TGran4": .atMost(0),
          ]
        ),
        register("ID_AA64MMFR1_EL1", ["SpecSEI": .host]),
        register("ID_AA64MMFR2_EL1", ["CCIDX": .host]),
      ] + narrow
    return model
  }

  /// The instructions are the core's; what only a kernel sees is at most the core's.
  private static func armv82(_ name: String, summary: String, addresses: UInt64, ssbs: UInt64) -> ProcessorModel {
    var model = ProcessorModel(name: name)
    model.summary = summary
    model.psciVersion = 0x1_0001
    model.services = ["TRNG_V1_0", "PV_TIME", "FUNC_FEAT", "PTP"]
    model.monitors = Monitors(counters: 6)
    model.registers =
      [
        register(
          "ID_AA64PFR0_EL1",
          [
            "EL0": .atMost(2), "EL1": .atMost(1), "FP": .value(1), "AdvSIMD": .value(1), "GIC": .host,
            "RAS": .atMost(1),
            "CSV2": .host, "CSV3": .host,
          ],
          fixed: ["RAS"]
        ),
        register("ID_AA64PFR1_EL1", ["SSBS": .value(ssbs)]),
        register(
          "ID_AA64DFR0_EL1",
          [
            "DebugVer": .value(8), "PMUVer": .value(4), "BRPs": .host, "WRPs": .atMost(3), "CTX_CMPs": .host,
            "DoubleLock": .host, "MTPMU": .host,
          ]
        ),
        register(
          "ID_AA64ISAR0_EL1",
          [
            "AES": .value(2), "SHA1": .value(1), "SHA2": .value(1), "CRC32": .value(1), "Atomic": .value(2),
            "RDM": .value(1), "DP": .value(1),
          ]
        ),
        register("ID_AA64ISAR1_EL1", ["DPB": .value(1), "LRCPC": .value(1)]),
        register(
          "ID_AA64MMFR0_EL1",
          [
            "PARange": .atMost(addresses), "ASIDBits": .atMost(2), "BigEnd": .host, "SNSMem": .host,
            "BigEndEL0": .host, "TGran16": .atMost(1), "TGran64": .atMost(0), "TGran4": .atMost(0),
          ]
        ),
        register(
          "ID_AA64MMFR1_EL1",
          ["HAFDBS": .atMost(2), "HPDS": .atMost(2), "LO": .atMost(1), "PAN": .value(2), "SpecSEI": .host]
        ),
        register(
          "ID_AA64MMFR2_EL1",
          ["CnP": .atMost(1), "UAO": .value(1), "IESB": .atMost(1), "CCIDX": .host, "IDS": .value(0)],
          fixed: ["IDS"]
        ),
      ] + narrow
    return model
  }

  private static var cortexA76: ProcessorModel {
    armv82("cortex-a76", summary: "Arm Cortex-A76, as in a Raspberry Pi 5", addresses: 2, ssbs: 1)
  }

  private static var neoverseN1: ProcessorModel {
    armv82("neoverse-n1", summary: "Arm Neoverse N1, as in AWS Graviton 2 and Ampere Altra", addresses: 5, ssbs: 2)
  }
}
