internal import CHost

/// Something other than KVM that the host refused.
public struct HostError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was attempted.
  public let attempt: String
  /// The reason.
  public let errno: Int32
  /// What to do about it.
  public let advice: String

  package init(_ attempt: String, errno: Int32, advice: String) {
    self.attempt = attempt
    self.errno = errno
    self.advice = advice
  }

  public var description: String {
    "\(attempt) failed: \(errorText(errno)); \(ErrorNumber.advice(errno, otherwise: advice))"
  }

  /// What to do where a call made no descriptor.
  package static let tooManyDescriptors = "raise the limit of open files (ulimit -n) if that is the reason"
}
