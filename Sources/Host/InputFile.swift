internal import CHost
internal import Glibc

/// A file that is read whole, once.
package enum InputFile {
  /// The most bytes that are read.
  package static let limit = 256 << 20

  /// The file's bytes; `-` is standard input, which may be anything. A path leads to a regular file: whatever else
  /// there is may let its reader wait for ever, or never end.
  ///
  /// - Throws: also for a file of more than ``limit`` bytes.
  package static func read(_ path: String) throws(InputFileError) -> [UInt8] {
    let descriptor = try open(path)
    var bytes: [UInt8] = []
    // What is larger than one piece would be copied each time that the array grows.
    var kind = chost_file_regular
    var size: UInt64 = 0
    // SAFETY: the variables hold for the call.
    if unsafe chost_file_status(descriptor.rawValue, &kind, &size) == 0, size <= UInt64(limit) {
      bytes.reserveCapacity(Int(size))
    }
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count <= limit {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe piece.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor.rawValue, $0.baseAddress, $0.count)
      }
      if count == 0 { return bytes }
      if count > 0 {
        bytes += piece[..<count]
      } else if chost_errno() != EINTR {
        throw InputFileError(path: path, reason: .cannotRead(errno: chost_errno()))
      }
    }
    throw InputFileError(path: path, reason: .tooLarge(limit: limit))
  }

  static func open(_ path: String) throws(InputFileError) -> OwnedDescriptor {
    if path == "-" {
      let copy = chost_duplicate(STDIN_FILENO)
      guard copy >= 0 else { throw InputFileError(path: path, reason: .cannotRead(errno: -copy)) }
      return OwnedDescriptor(owning: copy)
    }
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_open_for_reading($0) }
    guard number >= 0 else { throw InputFileError(path: path, reason: .cannotRead(errno: chost_errno())) }
    let descriptor = OwnedDescriptor(owning: number)
    var kind = chost_file_regular
    var size: UInt64 = 0
    // SAFETY: the variables hold for the call.
    guard unsafe chost_file_status(number, &kind, &size) == 0 else {
      throw InputFileError(path: path, reason: .cannotRead(errno: chost_errno()))
    }
    let other: String? =
      switch kind {
      case chost_file_regular: nil
      case chost_file_directory: "a directory"
      case chost_file_pipe: "a pipe"
      case chost_file_socket: "a socket"
      default: "a device"
      }
    if let other { throw InputFileError(path: path, reason: .notARegularFile(other)) }
    return descriptor
  }
}

/// A file that cannot be read.
package struct InputFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// As it was given.
  package let path: String
  /// Why not.
  package let reason: Reason

  /// Why a file cannot be read.
  package enum Reason: Equatable, Sendable {
    /// A call failed.
    case cannotRead(errno: Int32)
    /// It is something else, such as "a pipe".
    case notARegularFile(String)
    /// It has more bytes than are read.
    case tooLarge(limit: Int)
  }

  /// What it ends a process with.
  package var exitStatus: Int32 { kind.rawValue }

  /// Whether the path, the content or the host is wrong.
  package var kind: FailureKind {
    switch reason {
    case .cannotRead(let errno): ErrorNumber.isHostFailure(errno) ? .hostFailure : .inputNotFound
    case .notARegularFile: .inputNotFound
    case .tooLarge: .badInput
    }
  }

  package var description: String {
    switch reason {
    case .cannotRead(let errno):
      "'\(path)' cannot be read: \(errorText(errno)); \(ErrorNumber.adviceForInput(errno))"
    case .notARegularFile(let other): "'\(path)' is \(other); give a regular file"
    case .tooLarge(let limit): "'\(path)' is too large: at most \(limit >> 20) MiB are read; give a smaller file"
    }
  }
}
