internal import CHost
internal import Glibc
import Host
import KVM
internal import Logging

/// The host's side of a named port, opened before the machine starts and kept over its reboots.
final class PortEndpoint {
  /// The port's name.
  let name: String
  /// What is connected: the socket's present peer, or a descriptor that is read.
  private var connection: OwnedDescriptor?
  /// Where the guest's bytes go, but for a socket, which takes what it can without waiting.
  private(set) var outlet: Outlet?
  /// Where peers connect, if the port is a socket.
  private var listener: OwnedDescriptor?
  /// The name of that socket.
  private let socket: MadeName?
  let isSocket: Bool
  let canRead: Bool
  let canWrite: Bool

  /// Opens what the configuration names.
  ///
  /// - Throws: what the host refused, or the file that cannot be made.
  init(_ port: Configuration.Port, files: RunFiles) throws(OpenFailure) {
    name = port.name
    switch port.destination {
    case .file(let path):
      do {
        outlet = Outlet(owning: try files.open(path))
      } catch {
        throw .cannotWrite(port: port, error)
      }
      listener = nil
      socket = nil
      isSocket = false
      canRead = false
      canWrite = true
    case .socket(let path):
      // SAFETY: the path holds for the call.
      let number = unsafe path.withHostPath { unsafe chost_socket_listen($0) }
      guard number >= 0 else { throw .cannotCreate(port: port, path: path, errno: -number) }
      listener = OwnedDescriptor(owning: number)
      socket = MadeName(path)
      isSocket = true
      canRead = true
      canWrite = true
    case .descriptor(let original):
      let number = chost_duplicate(original)
      guard number >= 0 else { throw .notOpen(port: port, descriptor: original, errno: -number) }
      connection = OwnedDescriptor(owning: number)
      listener = nil
      socket = nil
      var (reads, writes) = (false, false)
      var kind = chost_file_regular
      var size: UInt64 = 0
      // SAFETY: the variables hold for the calls.
      let hasMode = unsafe chost_access_mode(number, &reads, &writes) == 0
      let isKnown = unsafe hasMode && chost_file_status(number, &kind, &size) == 0
      guard isKnown else { throw .notOpen(port: port, descriptor: original, errno: chost_errno()) }
      (canRead, canWrite) = (reads, writes)
      isSocket = kind == chost_file_socket
      if writes, !isSocket {
        do {
          // Reads as well as writes go through it: where it is a description of its own, neither waits.
          outlet = try Outlet(sharing: number)
          connection = nil
        } catch {
          throw .notOpen(port: port, descriptor: original, errno: error.errno)
        }
      }
    }
  }

  deinit {
    outlet?.close()
    socket?.remove()
  }

  /// Why a port could not be opened.
  enum OpenFailure: Error {
    case cannotWrite(port: Configuration.Port, OutputFileError)
    case cannotCreate(port: Configuration.Port, path: String, errno: Int32)
    case notOpen(port: Configuration.Port, descriptor: Int32, errno: Int32)

    var outcome: Outcome {
      switch self {
      case .cannotWrite(let port, let error): return Outcome(.cannotCreate, "--port \(port): \(error)")
      case .cannotCreate(let port, let path, let errno):
        return Outcome(.cannotCreate, Self.cannotMake(port, path, errno))
      case .notOpen(let port, let descriptor, let errno):
        let advice = "open it in the caller"
        return Outcome(.hostFailure, "--port \(port): descriptor \(descriptor): \(errorText(errno)); \(advice)")
      }
    }

    fileprivate static func cannotMake(_ port: Configuration.Port, _ path: String, _ errno: Int32) -> String {
      let advice =
        errno == EADDRINUSE
        ? "something else is there; name another path or remove it"
        : ErrorNumber.advice(errno, otherwise: "name a path in a folder that exists and that you may write to")
      return "--port \(port): cannot make '\(path)': \(errorText(errno)); \(advice)"
    }
  }

  /// Looks whether a socket could be made, and leaves everything as it is.
  ///
  /// - Returns: why not.
  static func problem(of port: Configuration.Port) -> String? {
    guard case .socket(let path) = port.destination else { return nil }
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_socket_check($0) }
    return result < 0 ? OpenFailure.cannotMake(port, path, -result) : nil
  }

  /// What to read and write, where something is connected.
  var descriptor: Int32? { outlet?.rawValue ?? connection?.rawValue }

  /// What to watch for a peer, where one can come and none is there.
  var waitingListener: Int32? {
    guard connection == nil else { return nil }
    return listener?.rawValue
  }

  /// Takes the next peer, if there is one.
  ///
  /// - Returns: 0, or the error; EAGAIN where there is none.
  func accept() -> Int32 {
    guard let waitingListener else { return EAGAIN }
    let number = chost_socket_accept(waitingListener)
    guard number >= 0 else { return -number }
    connection = OwnedDescriptor(owning: number)
    return 0
  }

  /// Closes what is connected.
  func close() {
    connection = nil
    outlet?.close()
    outlet = nil
  }
}
