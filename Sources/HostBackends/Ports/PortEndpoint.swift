import CHost
internal import Glibc
package import Host
import Logging

/// The host's side of a named port, opened before the machine starts and kept over its reboots.
package final class PortEndpoint {
  /// The port's name.
  package let name: String
  /// What is connected: the socket's present peer, or a descriptor that is read.
  private var connection: OwnedDescriptor?
  /// Where the guest's bytes go, but for a socket, which takes what it can without waiting.
  package private(set) var outlet: Outlet?
  /// Where peers connect, if the port is a socket.
  private let listener: ListeningSocket?
  /// Whether peers come and go.
  package let isSocket: Bool
  /// Whether the guest gets anything from there.
  package let canRead: Bool
  /// Whether the guest's bytes go there.
  package let canWrite: Bool

  /// Where a port leads.
  package enum Destination: Equatable {
    /// To a file that is truncated; the guest only writes.
    case file(path: String)
    /// To a UNIX stream socket that listens: one peer at a time.
    case socket(path: String)
    /// To a descriptor that is open already and stays its owner's.
    case descriptor(Int32)
  }

  /// Opens where the port leads.
  ///
  /// - Throws: what the host refused, or the file that cannot be made.
  package init(name: String, _ destination: Destination, files: RunFiles) throws(OpenFailure) {
    self.name = name
    switch destination {
    case .file(let path):
      do {
        outlet = Outlet(owning: try files.open(path))
      } catch {
        throw .cannotWrite(error)
      }
      listener = nil
      isSocket = false
      canRead = false
      canWrite = true
    case .socket(let path):
      do {
        listener = try ListeningSocket(path: path, isPrivate: false)
      } catch {
        throw .cannotListen(error)
      }
      isSocket = true
      canRead = true
      canWrite = true
    case .descriptor(let original):
      let number = chost_duplicate(original)
      guard number >= 0 else { throw .notOpen(descriptor: original, errno: -number) }
      connection = OwnedDescriptor(owning: number)
      listener = nil
      var (reads, writes) = (false, false)
      var kind = chost_file_regular
      var size: UInt64 = 0
      // SAFETY: the variables hold for the calls.
      let hasMode = unsafe chost_access_mode(number, &reads, &writes) == 0
      let isKnown = unsafe hasMode && chost_file_status(number, &kind, &size) == 0
      guard isKnown else { throw .notOpen(descriptor: original, errno: chost_errno()) }
      (canRead, canWrite) = (reads, writes)
      isSocket = kind == chost_file_socket
      if writes, !isSocket {
        do {
          // Reads as well as writes go through it: where it is a description of its own, neither waits.
          outlet = try Outlet(sharing: number)
          connection = nil
        } catch {
          throw .notOpen(descriptor: original, errno: error.errno)
        }
      }
    }
  }

  deinit {
    outlet?.close()
  }

  /// Why a port could not be opened.
  package enum OpenFailure: Error, CustomStringConvertible {
    /// The file cannot be made or written.
    case cannotWrite(OutputFileError)
    /// The socket cannot be made.
    case cannotListen(ListeningError)
    /// There is no such descriptor.
    case notOpen(descriptor: Int32, errno: Int32)

    /// What kind of failure it is.
    package var kind: FailureKind {
      switch self {
      case .cannotWrite: .cannotCreate
      case .cannotListen(let error): error.kind
      case .notOpen: .hostFailure
      }
    }

    package var description: String {
      switch self {
      case .cannotWrite(let error): "\(error)"
      case .cannotListen(let error): "\(error)"
      case .notOpen(let descriptor, let errno):
        "descriptor \(descriptor): \(errorText(errno)); open it in the caller"
      }
    }
  }

  /// What to read and write, where something is connected.
  package var descriptor: Int32? { outlet?.rawValue ?? connection?.rawValue }

  /// What to watch for a peer, where one can come and none is there.
  package var waitingListener: Int32? {
    guard connection == nil else { return nil }
    return listener?.rawValue
  }

  /// Takes the next peer, if there is one.
  ///
  /// - Returns: 0, or the error; EAGAIN where there is none.
  package func accept() -> Int32 {
    guard let waitingListener else { return EAGAIN }
    let number = chost_socket_accept(waitingListener)
    guard number >= 0 else { return -number }
    connection = OwnedDescriptor(owning: number)
    return 0
  }

  /// Closes what is connected.
  package func close() {
    connection = nil
    outlet?.close()
    outlet = nil
  }
}
