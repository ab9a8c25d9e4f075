public import Virtio

/// A device of one's own that answers its driver's requests: the bytes of a request go in, those of its answer come
/// out. What a virtqueue, a descriptor or a ring is, it need not know.
///
/// All of it is called on the server's thread, which serves nobody else meanwhile.
public protocol VhostUserService: AnyObject {
  /// By which lines about it name it.
  var name: String { get }
  /// The device type, which the driver is chosen by. A front-end has it from its own configuration.
  var identifier: VirtioDeviceIdentifier { get }
  /// The device type's own features, bits 0 to 23.
  var features: VirtioFeatures { get }
  /// How many queues there are, at most 64.
  var queueCount: Int { get }
  /// The configuration space, of the layout of the device type, in at most 256 bytes.
  var configuration: [UInt8] { get }

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - request: what the driver wrote, at most ``VhostUserServiceLimit/requestSize`` bytes.
  ///   - queue: the queue's number.
  ///   - room: how many bytes the driver has room for.
  /// - Returns: what goes into that room; what is more is cut off.
  func answer(_ request: [UInt8], queue: Int, room: Int) -> [UInt8]

  /// A driver begins anew: what an earlier one has set is forgotten.
  func reset()
}

extension VhostUserService {
  public var features: VirtioFeatures { [] }

  public var queueCount: Int { 1 }

  public var configuration: [UInt8] { [] }

  public func reset() {}
}

/// What a ``VhostUserService`` never sees more of.
public enum VhostUserServiceLimit {
  /// Bytes of a request. One that has more fails the device: no driver of a device that answers so sends it.
  public static let requestSize = 1 << 20
}

/// Gives each front-end of a socket the same service, one after the other.
final class VhostUserServiceSource: VhostUserDeviceSource {
  private let service: any VhostUserService

  init(_ service: any VhostUserService) {
    self.service = service
  }

  func makeDevice() throws -> any VirtioDevice { ServiceDevice(service) }
}
