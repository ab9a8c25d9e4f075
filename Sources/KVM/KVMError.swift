internal import Glibc
import Host

/// What the host's KVM refused, and why.
public enum KVMError: Error, Sendable {
  /// There is no such device file.
  case noDevice(path: String)
  /// The device file is there and this user may not open it.
  case noPermission(path: String)
  /// Opening the device file failed in another way.
  case cannotOpen(path: String, errno: Int32)
  /// KVM is there, for guests of another architecture.
  case wrongArchitecture
  /// KVM speaks another version of its interface than 12, the only one since Linux 2.6.22.
  case wrongVersion(Int)
  /// One of KVM's calls failed. `name` is the ioctl's name as KVM's documentation spells it.
  case call(StaticString, errno: Int32)

  /// The error number of a failed call, or `nil` where no call failed.
  public var errno: Int32? {
    switch self {
    case .call(_, let errno), .cannotOpen(_, let errno): errno
    case .noDevice, .noPermission, .wrongArchitecture, .wrongVersion: nil
    }
  }
}

extension KVMError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noDevice(let path):
      "\(path) does not exist: this kernel has no KVM, or the machine (or the hypervisor it runs under) offers no "
        + "virtualization; load the kvm module, enable nested virtualization, or use the emulated host "
        + "(Guests/EmulatedHost/apus)"
    case .noPermission(let path):
      "no permission to open \(path); join the group that owns it (usually: sudo usermod -aG kvm $USER, then log in "
        + "again)"
    case .cannotOpen(let path, let errno):
      "cannot open \(path): \(errorText(errno)); "
        + ErrorNumber.adviceForCall(errno, otherwise: "check that it is KVM's device")
    case .wrongArchitecture:
      "this machine's KVM runs x86 guests, and Apus runs arm64 guests; use an arm64 machine or the emulated host "
        + "(Guests/EmulatedHost/apus)"
    case .wrongVersion(let version):
      "KVM speaks version \(version) of its interface and Apus version 12; use a kernel from this century"
    case .call(let name, let errno):
      "\(name) failed: \(errorText(errno)); "
        + ErrorNumber.adviceForCall(errno, otherwise: Self.advice(errno))
    }
  }
}

extension KVMError {
  private static func advice(_ errno: Int32) -> String {
    // KVM_RUN's, where the host has no page for what the guest touches.
    errno == EFAULT
      ? "the guest's memory is gone: leave a snapshot's files as they are while a machine goes on from them"
      : "'apus doctor' tells what this host's KVM lacks"
  }
}
