import Testing

@testable import Apus

@Suite struct PortConfigurationTests {
  @Test(
    arguments: [
      ("", "console=hvc0"), ("quiet -- a", "console=hvc0 quiet -- a"), ("console=ttyAMA0", "console=ttyAMA0"),
      ("x -- console=ttyAMA0", "console=hvc0 x -- console=ttyAMA0"),
      ("a=\"b console=c\"", "console=hvc0 a=\"b console=c\""),
      ("quiet\tconsole=tty0", "quiet\tconsole=tty0"), ("myconsole=1", "console=hvc0 myconsole=1"),
    ]
  )
  func aVirtioConsoleIsNamedToAKernelThatIsToldOfNone(given: String, passed: String) {
    var configuration = Configuration(kernel: "Image", commandLine: given)
    #expect(configuration.kernelCommandLine == given)
    configuration.devices = [.init(.console(.init(carriesConsole: false)))]
    #expect(configuration.kernelCommandLine == given)

    configuration.devices = [.init(.console(.init()))]

    #expect(configuration.kernelCommandLine == passed)
  }

  @Test(
    arguments: [
      ([.init("virtme.ret", .descriptor(5))], "Apus itself reads"), ([.init("a/b", .descriptor(5))], "letters, digits"),
      ([.init("..", .descriptor(5))], "letters, digits"), ([.init("é", .descriptor(5))], "letters, digits"),
      ([.init("a", .descriptor(2))], "descriptor from 3"),
      ([.init("a", .socket(path: String(repeating: "x", count: 108)))], "at most 107 bytes"),
      ([.init("a", .descriptor(5)), .init("a", .descriptor(6))], "another port of that name"),
      ((0..<30).map { .init("p\($0)", .descriptor(1000 + $0)) }, "at most 29"),
      (
        [.init("a", .descriptor(1000)), .init("b", .descriptor(1000))],
        "is that of `devices[0].console.ports[0].destination`, too"
      ),
    ] as [([Configuration.Port], String)]
  )
  func aPortThatNoMachineCanHaveIsNamed(ports: [Configuration.Port], words: String) {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = [.init(.console(.init(ports: ports)))]

    let problems = configuration.deviceProblems()

    #expect(problems.count == 1)
    #expect(problems.first?.description.contains(words) == true, "\(problems)")
  }

  @Test func twoConsoleDevicesAreRefusedAndOneWithAllPortsIsNot() {
    var configuration = Configuration(kernel: "Image")
    let ports = (0..<29).map { Configuration.Port("p\($0)", .descriptor(1000 + $0)) }
    configuration.devices = [.init(.console(.init(ports: ports)))]
    #expect(configuration.deviceProblems().isEmpty)

    configuration.devices.append(.init(.console(.init(carriesConsole: false))))

    #expect(configuration.deviceProblems().count == 1)
  }
}
