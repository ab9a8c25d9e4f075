import GuestABI
import Host
import SCMI

extension SCMIServer {
  /// Puts an agent's part of a platform into a device tree of another monitor: the scmi node, and the nodes that use
  /// what the agent has.
  ///
  /// - Parameters:
  ///   - path: of the tree, a blob; QEMU writes it with `-machine dumpdtb=`.
  ///   - platform: the path of the platform file.
  ///   - agent: the agent's name; may be left out where the platform has one agent only.
  /// - Returns: the tree, and the names of those devices of the platform file that are left out, since the other
  ///   monitor has no registers and interrupts for them.
  /// - Throws: ``SCMIServerError``.
  public static func deviceTree(
    merging path: String,
    platform: String,
    agent: String?
  ) throws(SCMIServerError) -> (blob: [UInt8], devicesLeftOut: [String]) {
    let shared = try open(platform)
    let places = Configuration(platform: platform, places: [.init(path: "", agent: agent)])
    let agent = try agents(of: places, shared.definition)[0]
    do {
      let blob = try MachineTree.SCMI.merged(into: try InputFile.read(path), shared, agent: agent)
      return (blob, MachineTree.SCMI(shared, agent: agent).devicesLeftOut)
    } catch let error as InputFileError {
      throw SCMIServerError(error.kind, error.description)
    } catch {
      throw SCMIServerError(.badInput, "'\(path)' \(error)")
    }
  }
}
