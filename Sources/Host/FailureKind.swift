/// What kind of failure something is, with the exit status that a command ends with because of it: numbers of
/// `<sysexits.h>`.
public enum FailureKind: Int32, Sendable {
  /// A value that cannot be (EX_USAGE).
  case usage = 64
  /// A file that is there and is not what it should be (EX_DATAERR).
  case badInput = 65
  /// A file that is not there or cannot be read (EX_NOINPUT).
  case inputNotFound = 66
  /// The host failed (EX_OSERR).
  case hostFailure = 71
  /// A file that cannot be written (EX_CANTCREAT).
  case cannotCreate = 73
}
