/// A register that a debugger can ask for.
public enum DebugRegister: Hashable, Sendable {
  /// X0 to X30.
  case general(Int)
  /// The stack pointer that the vCPU uses now.
  case stackPointer
  /// PC.
  case programCounter
  /// PSTATE in SPSR's form.
  case processorState
  /// V0 to V31, of 128 bits.
  case vector(Int)
  /// FPSR.
  case floatingPointStatus
  /// FPCR.
  case floatingPointControl
  /// One of EL1's and EL0's system registers.
  case system(SystemRegister)

  /// How many bytes it has.
  public var size: Int {
    switch self {
    case .processorState, .floatingPointStatus, .floatingPointControl: 4
    case .vector: 16
    case .general, .stackPointer, .programCounter, .system: 8
    }
  }

  /// All, by their number in the protocol: the order of the target description.
  public static let all: [DebugRegister] =
    (0...30).map { .general($0) } + [.stackPointer, .programCounter, .processorState]
    + (0...31).map { .vector($0) } + [.floatingPointStatus, .floatingPointControl]
    + SystemRegister.allCases.map { .system($0) }

  /// How many of ``all`` the packets `g` and `G` have: all but the system registers.
  static let inGroup = 68
  /// The number of the stack pointer, which stop replies have with them.
  static let stackPointerNumber = 31
  /// The number of the program counter.
  static let counterNumber = 32
}

/// The system registers that tell what a guest is about (Arm ARM, D24). The raw value is the register's name.
public enum SystemRegister: String, CaseIterable, Sendable {
  case currentStackEL0 = "SP_EL0"
  case stackEL1 = "SP_EL1"
  case exceptionLink = "ELR_EL1"
  case savedState = "SPSR_EL1"
  case syndrome = "ESR_EL1"
  case faultAddress = "FAR_EL1"
  case vectorBase = "VBAR_EL1"
  case control = "SCTLR_EL1"
  case auxiliaryControl = "ACTLR_EL1"
  case accessControl = "CPACR_EL1"
  case translationControl = "TCR_EL1"
  case table0 = "TTBR0_EL1"
  case table1 = "TTBR1_EL1"
  case memoryAttributes = "MAIR_EL1"
  case physicalAddress = "PAR_EL1"
  case contextIdentity = "CONTEXTIDR_EL1"
  case threadPointerEL0 = "TPIDR_EL0"
  case threadPointerReadOnly = "TPIDRRO_EL0"
  case threadPointerEL1 = "TPIDR_EL1"
  case timerControl = "CNTV_CTL_EL0"
  case timerCompare = "CNTV_CVAL_EL0"
  case counter = "CNTVCT_EL0"
  case counterAccess = "CNTKCTL_EL1"
  case affinity = "MPIDR_EL1"
  case mainIdentity = "MIDR_EL1"
  case debugControl = "MDSCR_EL1"
}

/// The description of a vCPU's registers that `qXfer:features:read` gives (Debugging with GDB, "AArch64 Features").
enum TargetDescription {
  static let text: [UInt8] = Array(make().utf8)

  private static func make() -> String {
    var lines = [
      #"<?xml version="1.0"?>"#, #"<!DOCTYPE target SYSTEM "gdb-target.dtd">"#, "<target>",
      "<architecture>aarch64</architecture>", #"<feature name="org.gnu.gdb.aarch64.core">"#,
    ]
    lines.append(#"<flags id="cpsr_flags" size="4">"#)
    let flags = [
      ("SP", 0), ("EL", 2), ("nRW", 4), ("F", 6), ("I", 7), ("A", 8), ("D", 9), ("IL", 20), ("SS", 21), ("PAN", 22),
      ("V", 28), ("C", 29), ("Z", 30), ("N", 31),
    ]
    for (name, bit) in flags {
      lines.append(#"<field name="\#(name)" start="\#(bit)" end="\#(name == "EL" ? bit + 1 : bit)"/>"#)
    }
    lines.append("</flags>")
    var groups: [[String]] = [[], [], []]
    for register in DebugRegister.all {
      switch register {
      case .general(let number): groups[0].append(element("x\(number)", 64, "int"))
      case .stackPointer: groups[0].append(element("sp", 64, "data_ptr"))
      case .programCounter: groups[0].append(element("pc", 64, "code_ptr"))
      case .processorState: groups[0].append(element("cpsr", 32, "cpsr_flags"))
      case .vector(let number): groups[1].append(element("v\(number)", 128, "vector"))
      case .floatingPointStatus: groups[1].append(element("fpsr", 32, "int"))
      case .floatingPointControl: groups[1].append(element("fpcr", 32, "int"))
      case .system(let register): groups[2].append(element(register.rawValue, 64, "int", group: "system"))
      }
    }
    lines += groups[0] + ["</feature>", #"<feature name="org.gnu.gdb.aarch64.fpu">"#]
    lines += [
      #"<vector id="v2d" type="ieee_double" count="2"/>"#, #"<vector id="v2u" type="uint64" count="2"/>"#,
      #"<vector id="v4f" type="ieee_single" count="4"/>"#, #"<vector id="v4u" type="uint32" count="4"/>"#,
      #"<vector id="v8u" type="uint16" count="8"/>"#, #"<vector id="v16u" type="uint8" count="16"/>"#,
      #"<union id="vector"><field name="d" type="v2d"/><field name="u" type="v2u"/><field name="f" type="v4f"/>"#,
      #"<field name="w" type="v4u"/><field name="h" type="v8u"/><field name="b" type="v16u"/>"#,
      #"<field name="q" type="uint128"/></union>"#,
    ]
    lines += groups[1] + ["</feature>", #"<feature name="org.apus.aarch64.system">"#]
    lines += groups[2] + ["</feature>", "</target>", ""]
    return lines.joined(separator: "\n")
  }

  private static func element(_ name: String, _ bits: Int, _ type: String, group: String? = nil) -> String {
    let group = group.map { #" group="\#($0)""# } ?? ""
    return #"<reg name="\#(name)" bitsize="\#(bits)" type="\#(type)"\#(group)/>"#
  }
}
