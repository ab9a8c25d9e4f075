internal import ApusControl

/// The agent as a program, which the package's build compiled.
enum AgentImage {
  /// An ELF executable for the architecture that this program was built for.
  static let program: [UInt8] = {
    guard let program = Base64.decode(agentProgram) else { preconditionFailure("the build writes base64") }
    return program
  }()
}
