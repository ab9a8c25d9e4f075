internal import CKVM
import Glibc
import Host

/// KVM itself: an open `/dev/kvm`.
///
/// Documentation/virt/kvm/api.rst, "system ioctls". Calls that the kernel refuses throw a ``KVMError`` with its number.
public struct System: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  private static var runsArm64Guests: Bool {
    #if arch(arm64)
      true
    #else
      false
    #endif
  }

  /// Opens KVM and checks that it runs arm64 guests and speaks the interface this package knows.
  ///
  /// - Throws: a ``KVMError`` that says what is missing.
  public init(path: String = "/dev/kvm") throws(KVMError) {
    // SAFETY: the text holds for the call.
    let number = unsafe path.withHostPath { unsafe ckvm_open_device($0) }
    guard number >= 0 else {
      switch -number {
      case ENOENT, ENXIO, ENODEV: throw .noDevice(path: path)
      case EACCES, EPERM: throw .noPermission(path: path)
      default: throw .cannotOpen(path: path, errno: -number)
      }
    }
    let descriptor = OwnedDescriptor(owning: number)
    let version: Int
    do {
      version = try descriptor.control("KVM_GET_API_VERSION", CKVM_GET_API_VERSION)
    } catch {
      throw .cannotOpen(path: path, errno: error.errno ?? EINVAL)
    }
    guard version == 12 else { throw .wrongVersion(version) }
    guard Self.runsArm64Guests else { throw .wrongArchitecture }
    self.descriptor = descriptor
  }

  /// KVM_CHECK_EXTENSION: zero where the capability is missing, else a number whose meaning is the capability's.
  public func checkExtension(_ capability: Capability) -> Int {
    (try? descriptor.control("KVM_CHECK_EXTENSION", CKVM_CHECK_EXTENSION, UInt(capability.rawValue))) ?? 0
  }

  /// CNTFRQ_EL0: how often a second the host's counters count, and its guests'. 0 on other architectures.
  public static var counterFrequency: UInt64 { ckvm_counter_frequency() }

  /// How many bits of guest-physical address this host can give a machine; 40 where it cannot say.
  public var ipaSizeLimit: Int {
    let limit = checkExtension(.armVMIPASize)
    return limit == 0 ? 40 : limit
  }

  /// KVM_CREATE_VM.
  ///
  /// - Parameter ipaSize: bits of guest-physical address, 32 to ``ipaSizeLimit``.
  public func createVirtualMachine(ipaSize: Int) throws(KVMError) -> VirtualMachine {
    // Type 0 means 40 bits, which also kernels accept that do not know the field.
    let type = ipaSize == 40 ? 0 : UInt(ipaSize)
    let machine = OwnedDescriptor(owning: Int32(try descriptor.control("KVM_CREATE_VM", CKVM_CREATE_VM, type)))
    let size = try descriptor.control("KVM_GET_VCPU_MMAP_SIZE", CKVM_GET_VCPU_MMAP_SIZE)
    return VirtualMachine(descriptor: machine, runAreaSize: size)
  }
}

/// A capability of KVM that Apus asks for, by its number in `<linux/kvm.h>`.
public struct Capability: RawRepresentable, Hashable, Sendable {
  /// The number that the kernel knows it by.
  public let rawValue: UInt32

  /// Names a capability by the kernel's number.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// KVM_CAP_MAX_VCPUS: how many vCPUs are possible.
  public static let maximumVCPUs = Capability(rawValue: 66)
  /// KVM_CAP_ARM_PSCI_0_2.
  public static let armPSCI02 = Capability(rawValue: 102)
  /// KVM_CAP_IOEVENTFD.
  public static let ioeventfd = Capability(rawValue: 36)
  /// KVM_CAP_IRQFD.
  public static let irqfd = Capability(rawValue: 32)
  /// KVM_CAP_ONE_REG.
  public static let oneReg = Capability(rawValue: 70)
  /// KVM_CAP_ARM_PMU_V3.
  public static let armPMUv3 = Capability(rawValue: 126)
  /// KVM_CAP_IMMEDIATE_EXIT.
  public static let immediateExit = Capability(rawValue: 136)
  /// KVM_CAP_ARM_VM_IPA_SIZE.
  public static let armVMIPASize = Capability(rawValue: 165)
  /// KVM_CAP_ARM_SVE.
  public static let armSVE = Capability(rawValue: 170)
  /// KVM_CAP_ARM_PTRAUTH_ADDRESS.
  public static let armPointerAuthenticationAddress = Capability(rawValue: 171)
  /// KVM_CAP_ARM_PTRAUTH_GENERIC.
  public static let armPointerAuthenticationGeneric = Capability(rawValue: 172)
  /// KVM_CAP_ARM_NISV_TO_USER: faults without a syndrome come to user space.
  public static let armNoSyndromeToUser = Capability(rawValue: 177)
  /// KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES: KVM tells which bits of ID registers may be written.
  public static let armWritableMasks = Capability(rawValue: 230)
  /// KVM_CAP_GUEST_DEBUG_HW_BPS: how many breakpoints the processor compares for a debugger.
  public static let hardwareBreakpoints = Capability(rawValue: 119)
  /// KVM_CAP_GUEST_DEBUG_HW_WPS: how many watchpoints.
  public static let hardwareWatchpoints = Capability(rawValue: 120)
}
