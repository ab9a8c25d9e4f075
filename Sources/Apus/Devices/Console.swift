import HostBackends
import Virtio
import VirtioDevices
import VirtioMMIO

/// The console device's ports: the host's sides are open for the whole run, so that a peer outlives a reboot.
final class ConsoleResource: DeviceResource {
  private let wanted: Configuration.Device.Console
  private var endpoints: [PortEndpoint] = []
  /// The present boot's.
  private var ports: ConsolePorts?

  init(_ wanted: Configuration.Device.Console) {
    self.wanted = wanted
  }

  override func open(_ run: RunPlace) throws {
    for (index, port) in wanted.ports.enumerated() {
      do throws(PortEndpoint.OpenFailure) {
        endpoints.append(try PortEndpoint(name: port.name, .init(port.destination), files: run.files))
      } catch {
        let path = Configuration.Path.device(run.place.index, .console(.port(index, .destination)))
        throw ConfigurationError(error.kind, path, .init(error))
      }
    }
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let ports = try ConsolePorts(
      name: place.place.name,
      carriesConsole: wanted.carriesConsole,
      endpoints: endpoints,
      loop: place.loop,
      logger: place.logger
    )
    self.ports = ports
    return ports.device
  }

  override func plugged(into transport: MMIOTransport) {
    ports?.connect { [unowned transport] queue in transport.kickAgain(queue: queue) }
  }

  override var console: ConsolePorts? { ports }

  override func release() {
    ports?.shutDown()
    ports = nil
  }

  override func close() { endpoints = [] }
}

extension PortEndpoint.Destination {
  fileprivate init(_ destination: Configuration.Port.Destination) {
    self =
      switch destination {
      case .file(let path): .file(path: path)
      case .socket(let path): .socket(path: path)
      case .descriptor(let number): .descriptor(number)
      }
  }
}
