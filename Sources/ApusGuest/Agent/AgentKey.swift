internal import Host

/// What tells an agent's words from everybody else's: drawn for each machine, and given to its agent alone.
struct AgentKey {
  /// Sixteen bytes. The first is one that frames seldom end with: see `AgentDecoder`.
  let bytes: [UInt8] = [0xFF] + HostRandom.bytes(count: 15)

  /// Where the kernel finds the agent.
  static let agentPath = "/.apus/agent"
  /// The port on which it listens.
  static let portName = "org.apus.agent"

  /// The agent, as what stands behind the rest of an initramfs.
  var archive: InitramfsArchive {
    var archive = InitramfsArchive()
    archive.addFolder(".apus", mode: 0o700)
    archive.addFile(".apus/agent", mode: 0o755, AgentImage.program)
    archive.addFile(".apus/key", mode: 0o400, bytes)
    return archive
  }
}
