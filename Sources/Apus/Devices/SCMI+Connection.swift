import Host
import HostBackends
internal import Logging
import SCMI
import Virtio
import VirtioDevices

/// What stands between a platform and a machine's SCMI device: the device thread, a timer, and the machine's end.
final class SCMIConnection {
  private let place: SCMIPlace
  let device: SCMIDevice<PlatformTimer>
  /// For what the platform does later.
  let timer: PlatformTimer
  /// Of the devices in the platform's tree.
  let lines: PlatformDeviceLines
  private let mailbox: Mailbox
  private let logger: Logger

  /// - Throws: ``AgentInUse``, or what the host refused.
  ///
  /// - Parameter lines: of the devices in the platform's tree.
  init(
    _ place: SCMIPlace,
    name: String,
    lines: PlatformDeviceLines,
    loop: EventLoop,
    mailbox: Mailbox,
    events: MachineEvents,
    logger: Logger
  ) throws {
    self.place = place
    self.lines = lines
    self.mailbox = mailbox
    self.logger = logger
    let timer = try PlatformTimer(place.platform)
    self.timer = timer
    let device = makeSCMIDevice(name: name, platform: place.platform, agent: place.agent, timer: timer)
    self.device = device
    let attachment = SharedPlatform.Attachment(
      wake: { Self.deliver(device, mailbox) },
      act: { event in Self.act(event, mailbox, events, lines) }
    )
    guard place.platform.attach(place.agent, attachment) else {
      let agent = place.platform.definition.agents[place.agent].name
      throw AgentInUse(name: agent)
    }
    _ = try loop.add(
      timer.timer.rawValue,
      EventLoop.readable,
      ClosureHandler { _ in
        timer.fired()
        if device.timerFired() { Self.deliver(device, mailbox) }
      }
    )
    device.armTimer()
  }

  /// Another machine is this agent.
  struct AgentInUse: Error, CustomStringConvertible {
    let name: String

    var description: String { "another machine is the platform's agent \(name); give this one another agent" }
  }

  /// Has the device thread bring messages to the guest, in turns.
  private static func deliver(_ device: SCMIDevice<PlatformTimer>, _ mailbox: Mailbox) {
    mailbox.post {
      if device.platformChanged() { deliver(device, mailbox) }
    }
  }

  /// A forceful transition is the machine's to carry out; a graceful one is announced to the guest by the platform.
  private static func act(
    _ event: PlatformEvent,
    _ mailbox: Mailbox,
    _ events: MachineEvents,
    _ lines: PlatformDeviceLines
  ) {
    if case .systemPower(_, let state, let isGraceful) = event {
      let manner = isGraceful ? "gracefully" : "forcefully"
      events.post(.platformRequest(message: "the guest asked for the system power state \(state), \(manner)"))
    }
    switch event {
    case .systemPower(_, .shutdown, graceful: false):
      mailbox.give(Outcome(.poweredOff, "the guest powered off through SCMI"))
    case .systemPower(_, .coldReset, graceful: false), .systemPower(_, .warmReset, graceful: false):
      mailbox.give(Outcome(.reset, "the guest reset the machine through SCMI"))
    case .systemPower: break
    case .interrupt(let consumer, let line, let asserted):
      lines.drive(consumer: consumer, line: line, asserted: asserted)
    }
  }

  /// What the device did.
  var summary: Report.Device.SCMI {
    let counters = device.counters
    return .init(
      commands: counters.commands,
      events: counters.events,
      droppedNotifications: counters.droppedNotifications
    )
  }

  func shutDown() {
    let dropped = device.counters.droppedNotifications
    place.platform.detach(place.agent)
    if dropped > 0 {
      logger.notice("\(device.name): \(dropped) messages of the event queue found no buffer of the guest's")
    }
  }
}
