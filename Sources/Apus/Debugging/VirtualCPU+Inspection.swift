import AArch64
import Debugger
import KVM

// A vCPU's registers as a debugger asks for them. Only while its thread waits in the hold.
extension VirtualCPU {
  /// A register, or nil where this vCPU has none of it.
  borrowing func value(of register: DebugRegister) -> RegisterValue? {
    switch register {
    case .general(let number): return word(.general(number))
    case .stackPointer: return word(stackPointerInUse)
    case .programCounter: return word(.programCounter)
    case .processorState: return word(.processorState)
    case .floatingPointStatus: return word(.floatingPointStatus)
    case .floatingPointControl: return word(.floatingPointControl)
    case .system(let register): return word(RegisterID(register))
    case .vector(let number):
      guard
        let bytes = (try? registerBytes(.vector(number))) ?? (try? registerBytes(.scalableVector(number)))
      else { return nil }
      return RegisterValue(littleEndian: bytes.prefix(16))
    }
  }

  /// Writes a register.
  ///
  /// - Returns: whether KVM took it.
  borrowing func set(_ register: DebugRegister, to value: RegisterValue) -> Bool {
    switch register {
    case .general(let number): return setWord(.general(number), value)
    case .stackPointer: return setWord(stackPointerInUse, value)
    case .programCounter: return setWord(.programCounter, value)
    case .processorState: return setWord(.processorState, value)
    case .floatingPointStatus: return setWord(.floatingPointStatus, value)
    case .floatingPointControl: return setWord(.floatingPointControl, value)
    // It would set all vCPUs' clocks.
    case .system(.counter): return false
    case .system(let register): return setWord(RegisterID(register), value)
    case .vector(let number):
      if (try? setRegisterBytes(.vector(number), value.littleEndian)) != nil { return true }
      // The rest of a scalable register stays.
      guard var bytes = try? registerBytes(.scalableVector(number)) else { return false }
      bytes.replaceSubrange(0..<16, with: value.littleEndian)
      return (try? setRegisterBytes(.scalableVector(number), bytes)) != nil
    }
  }

  private borrowing func word(_ id: RegisterID) -> RegisterValue? {
    (try? register(id)).map { RegisterValue($0) }
  }

  private borrowing func setWord(_ id: RegisterID, _ value: RegisterValue) -> Bool {
    (try? setRegister(id, value.low)) != nil
  }

  /// SP_EL0 or SP_EL1.
  private var stackPointerInUse: RegisterID {
    let state = (try? register(.processorState)) ?? 0
    return ProcessorState.usesStackOfEL1(state) ? .stackPointerEL1 : .stackPointer
  }

  /// What a walk of this vCPU's tables needs.
  borrowing func translation() -> StageOneTranslation? {
    guard
      let control = try? register(.systemControlEL1),
      let translationControl = try? register(RegisterID(.translationControl)),
      let table0 = try? register(RegisterID(.table0)),
      let table1 = try? register(RegisterID(.table1))
    else { return nil }
    return StageOneTranslation(
      TranslationRegisters(
        control: control,
        translationControl: translationControl,
        table0: table0,
        table1: table1
      )
    )
  }
}

extension RegisterID {
  /// KVM's id of a system register (its encoding: Arm ARM, D24.2).
  init(_ register: SystemRegister) {
    self =
      switch register {
      case .currentStackEL0: .stackPointer
      case .stackEL1: .stackPointerEL1
      case .exceptionLink: .exceptionLinkEL1
      case .savedState: .savedStateEL1
      case .syndrome: .exceptionSyndromeEL1
      case .faultAddress: .faultAddressEL1
      case .vectorBase: .vectorBaseEL1
      case .control: .systemControlEL1
      case .auxiliaryControl: .system(3, 0, 1, 0, 1)
      case .accessControl: .system(3, 0, 1, 0, 2)
      case .translationControl: .translationControlEL1
      case .table0: .translationTable0EL1
      case .table1: .translationTable1EL1
      case .memoryAttributes: .system(3, 0, 10, 2, 0)
      case .physicalAddress: .system(3, 0, 7, 4, 0)
      case .contextIdentity: .system(3, 0, 13, 0, 1)
      case .threadPointerEL0: .system(3, 3, 13, 0, 2)
      case .threadPointerReadOnly: .system(3, 3, 13, 0, 3)
      case .threadPointerEL1: .system(3, 0, 13, 0, 4)
      case .timerControl: .system(3, 3, 14, 3, 1)
      case .timerCompare: .virtualCompare
      case .counter: .virtualCounter
      case .counterAccess: .system(3, 0, 14, 1, 0)
      case .affinity: .multiprocessorAffinity
      case .mainIdentity: .system(3, 0, 0, 0, 0)
      case .debugControl: .system(2, 0, 0, 2, 2)
      }
  }
}
