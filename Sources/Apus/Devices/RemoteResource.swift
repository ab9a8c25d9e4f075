import Host
import HostBackends
internal import Logging
import VhostUser
import Virtio

extension Configuration.Device {
  /// How a back-end in another process gets at a guest's requests. Where the machine's DMA is open, it is always
  /// `bounced`: RAM is lent to nobody.
  public enum RemoteAccess: String, Codable, CaseIterable, Sendable {
    /// It sees the device's own window, and queues that Apus keeps beside the guest's.
    case inPlace
    /// It sees the device's own window, and in it the guest's own queues, which nobody checks: the fastest, for a
    /// back-end that may end for what a guest writes there.
    case direct
    /// It sees memory of Apus's own, into which each request is copied, and nothing of the guest's.
    case bounced
  }
}

extension VhostUserMode {
  fileprivate init(_ access: Configuration.Device.RemoteAccess) {
    self =
      switch access {
      case .inPlace: .inPlace
      case .direct: .direct
      case .bounced: .bounced
      }
  }
}

/// How a back-end elsewhere is to get at requests, and where in a device's configuration that is said.
struct WantedAccess {
  let access: Configuration.Device.RemoteAccess
  let property: Configuration.Device.Property

  init(_ access: Configuration.Device.RemoteAccess, at property: Configuration.Device.Property) {
    self.access = access
    self.property = property
  }
}

extension Configuration {
  /// How a back-end elsewhere gets at requests in this machine.
  func access(_ wanted: Device.RemoteAccess) -> Device.RemoteAccess {
    dma.isWithoutWindows || iommu != nil ? .bounced : wanted
  }

  /// What is wrong with back-ends that are to work on the guest's own queues where no window has them.
  var accessProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    for (index, device) in devices.enumerated() {
      guard let wanted = device.kind.value.remoteAccess, wanted.access == .direct, access(.direct) != .direct
      else { continue }
      let reason: ConfigurationError.Reason
      if let iommu {
        reason =
          """
          a back-end works on the guest's own queues in a window, which a device behind an IOMMU has not; leave 'direct' \
          out, or \(at: .device(iommu, .whole))
          """
      } else {
        reason =
          """
          a back-end works on the guest's own queues in a window, and with \(at: .property(.dma), dma.name) there is \
          none; leave 'direct' out, or that
          """
      }
      problems.append(.init(.usage, .device(index, wanted.property), reason))
    }
    return problems
  }

  /// What of the guest's memory the model of a device, or its back-end, can touch, in a word for plan and report.
  func reachName(of index: Int) -> String {
    let kind = devices[index].kind.value
    if let wanted = kind.remoteAccess { return access(wanted.access) == .bounced ? DMA.shadow.name : kind.reach.name }
    return kind.reach == .window && dma == .shadow && iommu == nil ? DMA.shadow.name : kind.reach.name
  }
}

extension Report.Device {
  /// The part of a device whose back-end is another process and works on its queues.
  public var backEnd: BackEnd? { part as? BackEnd }

  /// How another process served the device.
  public struct BackEnd: Sendable, Encodable {
    /// How it got at requests: `inPlace`, `direct` or `bounced`.
    public let access: String
  }
}

/// The connection with a back-end in another process, over all boots of a run.
final class RemoteResource: DeviceResource, @unchecked Sendable {
  // SAFETY: @unchecked: once the run has begun it is the device thread's alone.

  private let profile: VhostUserProfile
  private let access: Configuration.Device.RemoteAccess
  private let configuration: [UInt8]?
  private let makeConnector: (String, @escaping @Sendable (String) -> Void) -> any VhostUserConnector
  private var link: VhostUserLink?
  private var offer: VhostUserOffer?
  /// The present boot's.
  private var device: VhostUserDevice?
  /// What the device is to go on from.
  private var saved: RemoteDeviceState?
  /// Whether a network card was moved, and its guest is to see the link go and come.
  private var isMoving = false
  private var moveTimer: SharedTimer?

  /// - Parameters:
  ///   - configuration: the configuration space, where it is not the back-end's.
  ///   - makeConnector: makes what reaches the back-end, from the device's name and what takes its words.
  init(
    _ profile: VhostUserProfile,
    access: Configuration.Device.RemoteAccess,
    configuration: [UInt8]? = nil,
    _ makeConnector: @escaping (String, @escaping @Sendable (String) -> Void) -> any VhostUserConnector
  ) {
    self.profile = profile
    self.access = access
    self.configuration = configuration
    self.makeConnector = makeConnector
  }

  override var isElsewhere: Bool { true }

  override func open(_ run: RunPlace) throws {
    let logger = run.logger
    let name = run.place.name
    // What a back-end says is as foreign as what a guest says.
    let connector = makeConnector(name) { logger.info("\(name): \($0)") }
    let link = try VhostUserLink(
      connector,
      configurationSize: configuration == nil ? profile.configurationSize : 0,
      wantsState: profile.hasState
    )
    do throws(VhostUserError) {
      let offer = try link.open()
      if let problem = profile.problem(with: offer) { throw VhostUserError.unusable(problem) }
      self.offer = offer
    } catch {
      link.close()
      let text = "\(connector.subject): \(error)\(error.advice.map { "; \($0)" } ?? "")"
      throw ConfigurationError(.hostFailure, .device(run.place.index, .whole), .init(text))
    }
    try link.begin()
    self.link = link
    guard profile.linkField != nil else { return }
    let timer = SharedTimer(try HostTimer())
    moveTimer = timer
    _ = try run.loop.add(
      timer.value.rawValue,
      EventLoop.readable,
      ClosureHandler(lasts: true) { [unowned self] _ in arrive() }
    )
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    guard let link, let offer else { preconditionFailure("a back-end is connected before the first boot") }
    let (events, logger, name) = (place.events, place.logger, place.place.name)
    let device = try VhostUserDevice(
      name: name,
      profile,
      offer: offer,
      configuration: configuration,
      mode: VhostUserMode(access),
      link: link,
      loop: place.loop,
      thread: place.mailbox
    ) { message in
      logger.warning("\(message)")
      events.post(.backEnd(device: name, message: message))
    }
    self.device = device
    return device
  }

  override func setLink(isUp: Bool) -> Bool {
    guard profile.linkField != nil, let device else { return false }
    isMoving = false
    device.setCable(isIn: isUp)
    return true
  }

  override func prepareState(_ finished: @escaping @Sendable (String?) -> Void) {
    guard let device else { return finished(nil) }
    device.handOver(finished)
  }

  override func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? {
    device.map { RemoteDeviceState(isCableIn: $0.isCableIn, backEnd: $0.handedOver) }
  }

  override func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<RemoteDeviceState>(from: decoder).state
  }

  override func prepareRestore(_ state: (any VersionedState)?, _ finished: @escaping @Sendable (String?) -> Void) {
    guard let device, let bytes = (state as? RemoteDeviceState)?.backEnd else { return finished(nil) }
    device.takeOver(bytes, finished)
  }

  override func restore(_ state: (any VersionedState)?) throws(DeviceStateError) {
    saved = try state.map { (state) throws(DeviceStateError) in try RemoteDeviceState(kindOf: state) }
  }

  /// What is behind a network card is another one, which has nothing of what was under way.
  override func restored() {
    guard profile.linkField != nil else { return }
    isMoving = true
    device?.setCable(isIn: false)
  }

  override func startTime() {
    if isMoving { moveTimer?.value.arm(after: Self.moveTime) }
  }

  /// How long the link of a card that was moved stays down, in nanoseconds: long enough for a guest to see it.
  private static let moveTime: UInt64 = 50_000_000

  private func arrive() {
    moveTimer?.value.clear()
    guard isMoving else { return }
    isMoving = false
    device?.setCable(isIn: saved?.isCableIn ?? true)
  }

  override var report: (any Encodable & Sendable)? { Report.Device.BackEnd(access: access.rawValue) }

  override func release() {
    isMoving = false
    device?.release()
    device = nil
  }

  override func close() {
    link?.close()
    link = nil
  }
}

/// What is kept of a back-end in another process.
struct RemoteDeviceState: VersionedState, Equatable {
  static let kind = "back-end"
  static let version: UInt32 = 1

  /// Of a network card: whether its owner has left the cable in.
  var isCableIn: Bool
  /// What the back-end knows of its guest, in its own bytes; nil: nothing that another one has to know.
  var backEnd: [UInt8]?
}
