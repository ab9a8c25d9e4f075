import ApusControl
internal import Glibc
import Host

extension MachineControl {
  /// What the machine is, and its states.
  func addMachine(to table: inout ControlTable) {
    table.on(Control.Hello.self) { parameters, answer in
      if let version = parameters.version, version != ControlProtocol.version {
        let message = "version \(version) is not spoken here; speak \(ControlProtocol.version), or use another Apus"
        return answer.fail(.unsupportedVersion, message)
      }
      var hello = Control.Hello.Answer()
      hello.apus = ApusVersion.current
      answer.succeed(hello)
    }
    table.on(Control.Info.self) { [self] _, answer in answer.succeed(info) }
    table.on(Control.Statistics.self) { [self] _, answer in
      ask(answer) { boot in
        let inspection = boot.inspect()
        var statistics = Control.Statistics.Answer()
        statistics.state = Control.State(inspection.state)
        statistics.boots = inspection.boots
        statistics.exits = inspection.exits
        do {
          statistics.devices = try ControlJSON(encoding: inspection.devices)
        } catch {
          return answer.fail(.internalError, "the statistics cannot be written: \(error)")
        }
        answer.succeed(statistics)
      }
    }
    table.on(Control.Pause.self) { [self] _, answer in
      ask(answer) { boot in
        boot.pause { isPaused in
          if isPaused {
            answer.succeed(.init(.paused))
          } else {
            answer.fail(.refused, "the machine goes on or ends: somebody else resumed it, or it was ending already")
          }
        }
      }
    }
    table.on(Control.Resume.self) { [self] _, answer in
      ask(answer) { boot in
        boot.resume()
        answer.succeed(.init(.running))
      }
    }
    addEnds(to: &table)
  }

  private func addEnds(to table: inout ControlTable) {
    table.on(Control.Reset.self) { [self] _, answer in
      ask(answer) { [mailbox] _ in
        answer.succeed()
        mailbox.give(Outcome(.reset, "a client of the control socket reset the machine"))
      }
    }
    table.on(Control.PowerOff.self) { [self] _, answer in
      ask(answer) { [mailbox] _ in
        answer.succeed()
        mailbox.give(Outcome(.poweredOff, "a client of the control socket powered the machine off"))
      }
    }
    table.on(Control.Kill.self) { [self] _, answer in
      answer.succeed()
      mailbox.order(Outcome(.stopped, "ended by a client of the control socket"))
    }
  }

  private var info: Control.Info.Answer {
    let configuration = checked.configuration
    var info = Control.Info.Answer()
    info.apus = ApusVersion.current
    info.name = configuration.name
    info.uuid = "\(checked.uuid)"
    info.pid = getpid()
    let facts = facts
    info.state = facts.state
    info.regions = facts.regions
    info.uptime = HostClock.monotonic - progress.started
    info.boots = progress.boots
    info.cpus = configuration.cpuCount
    info.memory = configuration.memorySize
    info.devices = checked.board.devices.map(\.name)
    return info
  }
}
