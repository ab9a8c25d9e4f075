import SCMI
import Virtio

/// The machine's place on its platform, which has the platform's state over all boots.
final class SCMIResource: DeviceResource {
  private let place: SCMIPlace
  /// The present boot's.
  private var connection: SCMIConnection?

  init(_ place: SCMIPlace) {
    self.place = place
  }

  override var platform: SCMIPlace? { place }

  override func makeDevice(_ boot: BootPlace) throws -> any VirtioDevice {
    let connection: SCMIConnection
    do {
      connection = try SCMIConnection(
        place,
        name: boot.place.name,
        lines: PlatformDeviceLines(boot.board.platform?.places ?? [], boot.machine),
        loop: boot.loop,
        mailbox: boot.mailbox,
        logger: boot.logger
      )
    } catch let error as SCMIConnection.AgentInUse {
      throw ConfigurationError(.hostFailure, .device(boot.place.index, .scmi(.agent)), .init(error))
    }
    self.connection = connection
    return connection.device
  }

  override func release() {
    connection?.shutDown()
    connection = nil
  }

  override func report(_ device: inout Report.Device) {
    device.scmi = connection?.summary
  }
}
