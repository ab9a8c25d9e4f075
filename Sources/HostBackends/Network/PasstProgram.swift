package import Host

/// Ports of the host that passt has lead into the guest.
package struct PasstForward: Equatable {
  /// UDP's and not TCP's.
  package var isUDP: Bool
  /// As passt's options want it: `[ADDRESS/]HOST:GUEST`.
  package var ports: String

  package init(isUDP: Bool, ports: String) {
    self.isUDP = isUDP
    self.ports = ports
  }
}

/// The program passt: where it is and how it is called. It ends when its socket is closed.
package enum PasstProgram {
  /// The largest MTU that passt has, in bytes: 65,535 less the link header, rounded down to words.
  package static let largestMTU: UInt16 = 65520

  /// What the guest is told by DHCP, whatever the host's own network is like: the same on each host.
  private static let network = [
    "--address", "10.0.2.15", "--netmask", "255.255.255.0", "--gateway", "10.0.2.2",
    // A name server that passt itself asks the host's for, also one that only the host reaches.
    "--dns-forward", "10.0.2.3",
  ]

  /// The path of passt.
  ///
  /// - Parameter folders: where to look, separated by colons.
  /// - Throws: ``NetworkError/passtMissing``, where it is in none of them.
  package static func find(in folders: String = ChildProgram.searchPath) throws(NetworkError) -> String {
    guard let path = ChildProgram.find("passt", in: folders) else { throw .passtMissing }
    return path
  }

  /// - Parameter hostLoopback: whether the gateway's address leads to the host's loopback interface. Every passt knows
  ///   the option that says no; one of before 2024 takes a guest's packets to 127.0.0.1 all the same
  ///   (``LoopbackGuard``).
  /// - Parameter isVhostUser: whether packets go by the guest's queues, or over the socket.
  package static func arguments(
    forwards: [PasstForward],
    hostLoopback: Bool,
    mtu: UInt16,
    isVhostUser: Bool = false
  ) -> [String] {
    ["passt", "--foreground", "--quiet", "--fd", "\(ChildProgram.descriptor)", "--mtu", "\(mtu)"] + network
      + (hostLoopback ? [] : ["--no-map-gw"]) + (isVhostUser ? ["--vhost-user"] : [])
      + forwards.flatMap { [$0.isUDP ? "--udp-ports" : "--tcp-ports", $0.ports] }
  }

  /// Starts a process.
  ///
  /// - Throws: ``NetworkError/cannotStartPasst(path:errno:)``.
  package static func start(_ path: String, _ arguments: [String]) throws(NetworkError) -> ChildProgram {
    do throws(ChildProgram.CannotStart) {
      return try ChildProgram(path, arguments)
    } catch {
      throw .cannotStartPasst(path: error.path, errno: error.errno)
    }
  }
}
