internal import CHost
internal import Glibc
package import Host

/// Why a snapshot was not written, or cannot be used.
package enum SnapshotError: Error, Equatable, Sendable {
  /// The host failed at a file or directory.
  case host(Attempt, path: String, errno: Int32)
  /// There is something of that name, which was not to be replaced.
  case exists(String)
  /// What is to be replaced is no snapshot.
  case notToBeReplaced(String)
  /// Somebody restores from it, or writes it.
  case inUse(String)
  /// A name that no snapshot can have.
  case badName(String)
  /// There is no snapshot at that path.
  case noSnapshot(String)
  /// A file of the snapshot isn't what was written: which one, and what is wrong.
  case damaged(path: String, file: String, what: String)
  /// It was written by another Apus, in a format of that number.
  case unknownFormat(path: String, version: UInt64)
  /// The snapshot that it holds the changes to isn't the one that it was: its path, and what is wrong.
  case base(path: String, of: String, what: String)
  /// The snapshot that is to be replaced is the one that it was to hold the changes to.
  case replacesBase(String)
  /// The process that writes the memory ended before it was done.
  case writerEnded

  /// What the host was asked for.
  package enum Attempt: String, Sendable {
    case read, write, remove
    case fork = "start the process that writes"
  }
}

extension SnapshotError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .host(.fork, let path, let errno):
      "cannot start the process that writes the snapshot '\(path)': \(errorText(errno)); "
        + ErrorNumber.adviceForCall(errno, otherwise: "free some memory on the host")
    case .host(.read, let path, let errno):
      "cannot read the snapshot '\(path)': \(errorText(errno)); \(ErrorNumber.adviceForInput(errno))"
    case .host(let attempt, let path, let errno):
      "cannot \(attempt.rawValue) the snapshot '\(path)': \(errorText(errno)); "
        + ErrorNumber.advice(errno, otherwise: "name a directory in a folder that exists and that you may write to")
    case .exists(let path): "'\(path)' is there already; name another directory, or have it replaced"
    case .notToBeReplaced(let path):
      "'\(path)' is no snapshot, or has something else in it, so it is not replaced; name another directory"
    case .inUse(let path):
      "the snapshot '\(path)' is in use by another Apus; name another directory, or end the other one first"
    case .badName(let path): "'\(path)' cannot be a snapshot's name; name a directory that can be made"
    case .noSnapshot(let path): "'\(path)' is no snapshot: it has no \(SnapshotManifest.file); check the path"
    case .damaged(let path, let file, let what):
      "the snapshot '\(path)' is damaged: \(file): \(what); restore another one, or take it anew"
    case .unknownFormat(let path, let version):
      "the snapshot '\(path)' has format \(version), and this Apus knows \(SnapshotManifest.version); "
        + "restore it with the Apus that wrote it"
    case .base(let path, let changed, let what):
      "the snapshot '\(changed)' needs '\(path)', the one it was taken after: \(what); put that one back"
    case .replacesBase(let path):
      "'\(path)' is not replaced by the changes to it, which are none without it; name another directory, or replace it "
        + "by a full snapshot"
    case .writerEnded:
      "the process that wrote the snapshot's memory was ended; free some memory on the host if that was why, and try "
        + "again"
    }
  }

  /// What kind of failure it is.
  package var kind: FailureKind {
    switch self {
    case .host(.fork, _, _), .writerEnded: .hostFailure
    case .host(.read, _, let errno): ErrorNumber.isHostFailure(errno) ? .hostFailure : .inputNotFound
    case .host(_, _, let errno):
      [EMFILE, ENFILE, ENOMEM].contains(errno) ? .hostFailure : .cannotCreate
    case .exists, .notToBeReplaced, .inUse, .badName, .replacesBase: .cannotCreate
    case .noSnapshot: .inputNotFound
    case .damaged, .unknownFormat, .base: .badInput
    }
  }
}
