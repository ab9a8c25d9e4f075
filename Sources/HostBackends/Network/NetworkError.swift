internal import Glibc
package import Host

/// Why a network card could not be connected.
package enum NetworkError: Error, Equatable {
  case passtMissing
  /// The program was found and does not start.
  case cannotStartPasst(path: String, errno: Int32)
  /// The kernel gives no such tap device to this process.
  case cannotOpenTap(name: String, errno: Int32)
  /// The descriptor's number is none that is open, or it cannot be asked.
  case cannotUseDescriptor(Int32, errno: Int32)
  /// The descriptor's number leads to what carries no packets.
  case notANetwork(Int32)
}

extension NetworkError {
  /// What kind of mistake it is.
  package var kind: FailureKind {
    switch self {
    case .passtMissing, .cannotStartPasst, .cannotOpenTap: .hostFailure
    case .cannotUseDescriptor, .notANetwork: .usage
    }
  }
}

extension NetworkError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .passtMissing:
      "passt, the program for the guest's network, is in no folder of PATH; "
        + "install it (Debian: apt-get install passt)"
    case .cannotStartPasst(let path, let errno):
      "passt cannot be started as '\(path)': \(errorText(errno)); "
        + ErrorNumber.advice(errno, otherwise: "check the file and the limit of processes (ulimit -u)")
    case .cannotOpenTap(let name, let errno):
      "tap device '\(name)' cannot be opened: \(errorText(errno)); " + Self.advice(name, errno)
    case .cannotUseDescriptor(let number, let errno):
      "descriptor \(number): \(errorText(errno)); give the number of a descriptor that Apus inherits open"
    case .notANetwork(let number):
      "descriptor \(number) is neither a socket nor a tap device (IFF_TAP with IFF_NO_PI); give one of these"
    }
  }

  private static func advice(_ name: String, _ errno: Int32) -> String {
    switch errno {
    case EPERM: "make it for your user (ip tuntap add mode tap user \"$USER\" name \(name)) or use passt"
    case EACCES, ENOENT: "the host gives no access to /dev/net/tun; load the module tun, or use passt"
    case EBUSY: "another program has it open; end that one or use another tap device"
    case EMFILE, ENFILE: ErrorNumber.adviceForCall(errno, otherwise: "")
    default: "check that it is a tap device of one queue (ip -d link show \(name)), or use passt"
    }
  }
}
