import SCMI
import SCMIFile
import TestSupport
import Testing

@testable import Apus

/// What the control socket says of the SCMI platform, as a debugger's user hears it: of a machine that has not begun.
@Suite struct SCMIControlTests {
  private let control: MachineControl

  init() throws {
    let definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("guest")]
      platform.clocks = [ClockDefinition("pll") { $0.rates = .range(minimum: 100, maximum: 1_000, step: 50) }]
      platform.powerDomains = [PowerDomainDefinition("gpu")]
      platform.resets = [ResetDefinition("usb")]
      platform.pins = [PinDefinition("pin0")]
    }
    let folder = try TemporaryFolder()
    var configuration = Configuration(kernel: try folder.write("kernel", linuxImage()))
    configuration.devices = [Configuration.Device(.scmi(.shared(agent: "guest")))]
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }
    control = MachineControl(
      try configuration.checkAndOpen(platform).checked,
      mailbox: Mailbox(),
      events: MachineEvents(),
      progress: RunProgress()
    )
  }

  private func answer(_ words: [String]) throws -> String {
    let command = try #require(control.monitorCommands.first { $0.name == words[0] })
    return command.run(Array(words.dropFirst()))
  }

  @Test(
    "What is wrong is told by the parameter that the caller gave, with nothing that he did not",
    arguments: [
      (["scmi.set", "clocks/pll", "1"], "error: value: clocks/pll cannot be 1; expected"),
      (["scmi.set", "powerDomains/gpu", "7"], "error: value: powerDomains/gpu cannot be 7; expected one of"),
      (["scmi.set", "resets/usb", "2"], "error: value: expected 1 (in reset) or 0"),
      (["scmi.set", "pins/pin0", "1"], "error: resource: pins have no value to set"),
      (["scmi.set", "clocks/none", "1"], "error: resource: there is no 'clocks/none'"),
      (["scmi.step", #"{"set": "clocks/pll", "value": 1}"#], "error: step: /value: clocks/pll cannot be 1; expected"),
      (["scmi.step", "{}"], "error: step: expected an action"),
      (
        ["scmi.rules.add", #"{"name": "x", "action": {"alter": []}}"#],
        "error: rule: /action/alter: expected at least one alteration"
      ),
      (["scmi.rules.add", #"{"name": "x"}"#], #"error: rule: the key "action" is missing"#),
    ]
  )
  func mistakes(words: [String], message: String) throws {
    let answer = try answer(words)

    #expect(answer.hasPrefix(message), "\(answer)")
  }

  @Test("A value that the resource can have is set")
  func set() throws {
    #expect(try answer(["scmi.set", "clocks/pll", "700"]).contains("value: 700"))
    #expect(try answer(["scmi.step", #"{"set": "clocks/pll", "value": 800}"#]) == "")
    #expect(try answer(["scmi.read", "clocks/pll"]).contains("value: 800"))
  }
}
