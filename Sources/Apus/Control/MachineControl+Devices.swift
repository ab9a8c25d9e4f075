import ApusControl
import Host
import HostBackends

extension MachineControl {
  /// Network cards and disks.
  func addDevices(to table: inout ControlTable) {
    table.on(Control.NetworkLink.self) { [self] parameters, answer in
      resource(parameters.device, answer) { resource in
        guard resource.setLink(isUp: parameters.up) else {
          return answer.fail(.refused, "device: '\(parameters.device)' has no link; it is no network card")
        }
        answer.succeed()
      }
    }
    table.on(Control.DiskResize.self) { [self] parameters, answer in
      disk(parameters.device, answer) { image, resource in
        // The file system may take its time, and nobody else is to wait for it.
        Self.elsewhere(answer) { [self] () throws(DiskError) in
          let size: UInt64
          if let wanted = parameters.size { size = try image.grow(to: wanted) } else { size = try image.refreshSize() }
          self.resource(parameters.device, answer) { resource in
            resource.imageChanged()
            answer.succeed(.init(size: size))
          }
        }
      }
    }
    table.on(Control.DiskChange.self) { [self] parameters, answer in
      disk(parameters.device, answer) { image, resource in
        guard image.isReadOnly else {
          return answer.fail(
            .refused,
            "device: the guest may write '\(parameters.device)'; only a read-only disk changes"
          )
        }
        Self.elsewhere(answer) { [self] () throws(DiskError) in
          let new = try DiskImage(path: parameters.path, isReadOnly: true)
          self.resource(parameters.device, answer) { resource in
            resource.change(to: new) { failure in
              if let failure { return answer.fail(.refused, "\(failure)") }
              answer.succeed(.init(size: image.size))
            }
          }
        }
      }
    }
  }

  /// What stands behind a device, on the device thread; where there is none that is answered.
  private func resource<Method: ControlMethod>(
    _ name: String,
    _ answer: ControlAnswer<Method>,
    _ body: @escaping @Sendable (DeviceResource) -> Void
  ) {
    ask(answer) { [checked] boot in
      guard let resource = boot.resource(named: name) else {
        let names = checked.board.devices.map(\.name).joined(separator: ", ")
        return answer.fail(.notFound, "device: there is no '\(name)'; there are \(names.isEmpty ? "none" : names)")
      }
      body(resource)
    }
  }

  private func disk<Method: ControlMethod>(
    _ name: String,
    _ answer: ControlAnswer<Method>,
    _ body: @escaping @Sendable (DiskImage, DeviceResource) -> Void
  ) {
    resource(name, answer) { resource in
      guard let image = resource.image else {
        return answer.fail(.refused, "device: '\(name)' is no disk")
      }
      body(image, resource)
    }
  }

  /// Has something done that may wait for the host.
  private static func elsewhere<Method: ControlMethod>(
    _ answer: ControlAnswer<Method>,
    _ body: @escaping @Sendable () throws(DiskError) -> Void
  ) {
    do throws(HostError) {
      try HostThread.startDetached(name: "attempt") {
        do throws(DiskError) {
          try body()
        } catch {
          answer.fail(.refused, "\(error)")
        }
      }
    } catch {
      answer.fail(.internalError, "\(error)")
    }
  }
}
