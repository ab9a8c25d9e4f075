import Apus
import Foundation
import Testing

/// A configuration in which no property has its default.
private func everything() -> Configuration {
  var configuration = Configuration(payload: .raw(path: "/boot/program.bin"))
  configuration.initramfs = "initramfs.cpio"
  configuration.commandLine = "quiet \"é\""
  configuration.name = "one"
  configuration.uuid = Configuration.UUID("123e4567-e89b-42d3-a456-426614174000")
  configuration.cpuCount = 4
  configuration.memorySize = 0xFFFF_FFFF_FFF0_0000
  configuration.memoryLimit = 5
  configuration.pages = .small
  configuration.gic = .v2
  configuration.cpuModel = .file(path: "fleet.json")
  configuration.cpuFeatures.sve = false
  configuration.cpuFeatures.pmu = false
  configuration.cpuFeatures.pointerAuthentication = false
  var disk = Configuration.Device.Block(path: "disk.img")
  disk.isReadOnly = true
  disk.serial = "S1"
  disk.queueCount = 2
  var forward = Configuration.Device.Network.Forward(hostPort: 5353, guestPort: 53)
  forward.address = "::1"
  forward.transport = .udp
  var card = Configuration.Device.Network(.passt(forwards: [forward], hostLoopback: true))
  card.mac = Configuration.Device.MACAddress("02:12:34:56:78:9a")
  card.mtu = 9000
  let ports: [Configuration.Port] = [
    .init("log", .file(path: "log.txt")), .init("agent", .socket(path: "agent.sock")), .init("x", .descriptor(9)),
  ]
  var region = Configuration.Device.Memory(size: 4 << 30)
  region.name = "far"
  region.initialSize = 512 << 20
  region.blockSize = 4 << 20
  configuration.devices = [
    .init(.block(disk)), .init(.network(card)), .init(.network(.init(.tap(name: "tap0")))),
    .init(.network(.init(.descriptor(7)))), .init(.console(.init(carriesConsole: false, ports: ports))),
    .init(.scmi(.init(path: "platform.json", agent: "guest"))), .init(.scmi(.shared())), .init(.entropy),
    .init(.memory(region)),
  ]
  configuration.devices[0].window = "disks"
  configuration.dma = .confined(windowSize: 2 << 20)
  configuration.scmiTranscript = "session.jsonl"
  configuration.gunyahTranscript = "calls.jsonl"
  configuration.personality = .gunyah
  configuration.console = .pseudoTerminal(link: "/run/console")
  configuration.control = .socket(path: "/run/control")
  configuration.onReset = .stop
  configuration.unmapped = .zero
  configuration.timeout = Duration(secondsComponent: 9_223_372_036_854_775_807, attosecondsComponent: 1)
  configuration.measuresMemory = false
  configuration.kvmPath = "/dev/other"
  configuration.deviceTreeOverlays = ["a.dtbo", "b.dtbo"]
  configuration.deviceTreeDump = "tree.dtb"
  configuration.debugger = Configuration.Debugger(.socket(path: "gdb.socket"))
  configuration.debugger?.waits = true
  return configuration
}

private func text(_ configuration: Configuration) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(configuration), as: UTF8.self)
}

private func configuration(_ text: String) throws -> Configuration {
  try JSONDecoder().decode(Configuration.self, from: Data(text.utf8))
}

@Suite struct ConfigurationCodingTests {
  @Test func aConfigurationIsCodedByNamesAndUnitsThatStay() throws {
    let coded = try text(everything())

    #expect(
      coded == """
        {
          "commandLine" : "quiet \\"é\\"",
          "console" : {
            "pseudoTerminal" : {
              "link" : "/run/console"
            }
          },
          "control" : {
            "socket" : {
              "path" : "/run/control"
            }
          },
          "cpuCount" : 4,
          "cpuFeatures" : {
            "pmu" : false,
            "pointerAuthentication" : false,
            "sve" : false
          },
          "cpuModel" : {
            "file" : {
              "path" : "fleet.json"
            }
          },
          "debugger" : {
            "socket" : {
              "path" : "gdb.socket",
              "waits" : true
            }
          },
          "deviceTreeDump" : "tree.dtb",
          "deviceTreeOverlays" : [
            "a.dtbo",
            "b.dtbo"
          ],
          "devices" : [
            {
              "block" : {
                "isReadOnly" : true,
                "path" : "disk.img",
                "queueCount" : 2,
                "serial" : "S1"
              },
              "window" : "disks"
            },
            {
              "network" : {
                "connection" : {
                  "passt" : {
                    "forwards" : [
                      {
                        "address" : "::1",
                        "guestPort" : 53,
                        "hostPort" : 5353,
                        "transport" : "udp"
                      }
                    ],
                    "hostLoopback" : true
                  }
                },
                "mac" : "02:12:34:56:78:9a",
                "mtu" : 9000
              },
              "window" : "default"
            },
            {
              "network" : {
                "connection" : {
                  "tap" : {
                    "name" : "tap0"
                  }
                }
              },
              "window" : "default"
            },
            {
              "network" : {
                "connection" : {
                  "descriptor" : {
                    "number" : 7
                  }
                }
              },
              "window" : "default"
            },
            {
              "console" : {
                "carriesConsole" : false,
                "ports" : [
                  {
                    "destination" : {
                      "file" : {
                        "path" : "log.txt"
                      }
                    },
                    "name" : "log"
                  },
                  {
                    "destination" : {
                      "socket" : {
                        "path" : "agent.sock"
                      }
                    },
                    "name" : "agent"
                  },
                  {
                    "destination" : {
                      "descriptor" : {
                        "number" : 9
                      }
                    },
                    "name" : "x"
                  }
                ]
              },
              "window" : "default"
            },
            {
              "scmi" : {
                "agent" : "guest",
                "source" : {
                  "file" : {
                    "path" : "platform.json"
                  }
                }
              },
              "window" : "default"
            },
            {
              "scmi" : {
                "source" : "shared"
              },
              "window" : "default"
            },
            {
              "entropy" : {

              },
              "window" : "default"
            },
            {
              "memory" : {
                "blockSize" : {
                  "bytes" : 4194304
                },
                "initialSize" : {
                  "bytes" : 536870912
                },
                "name" : "far",
                "size" : {
                  "bytes" : 4294967296
                }
              },
              "window" : "default"
            }
          ],
          "dma" : {
            "confined" : {
              "windowSize" : {
                "bytes" : 2097152
              }
            }
          },
          "gic" : "v2",
          "gunyahTranscript" : "calls.jsonl",
          "initramfs" : "initramfs.cpio",
          "kvmPath" : "/dev/other",
          "measuresMemory" : false,
          "memoryLimit" : {
            "bytes" : 5
          },
          "memorySize" : {
            "bytes" : 18446744073708503040
          },
          "name" : "one",
          "onReset" : "stop",
          "pages" : "small",
          "payload" : {
            "raw" : {
              "path" : "/boot/program.bin"
            }
          },
          "personality" : "gunyah",
          "scmiTranscript" : "session.jsonl",
          "timeout" : {
            "attoseconds" : 1,
            "seconds" : 9223372036854775807
          },
          "unmapped" : "zero",
          "uuid" : "123e4567-e89b-42d3-a456-426614174000"
        }
        """
    )
    #expect(try configuration(coded) == everything())
  }

  /// Each change of one property, so that none is forgotten in the form or in the comparison.
  @Test func everyPropertyComesBackAlone() throws {
    let all = everything()
    var plain = Configuration(kernel: "Image")
    #expect(try configuration(text(plain)) == plain)
    let changes: [(Configuration.Property, (inout Configuration) -> Void)] = [
      (.payload, { $0.payload = all.payload }), (.initramfs, { $0.initramfs = all.initramfs }),
      (.commandLine, { $0.commandLine = all.commandLine }), (.name, { $0.name = all.name }),
      (.uuid, { $0.uuid = all.uuid }), (.cpuCount, { $0.cpuCount = all.cpuCount }),
      (.memorySize, { $0.memorySize = all.memorySize }), (.memoryLimit, { $0.memoryLimit = all.memoryLimit }),
      (.pages, { $0.pages = all.pages }),
      (.gic, { $0.gic = all.gic }), (.cpuFeatures, { $0.cpuFeatures = all.cpuFeatures }),
      (.cpuModel, { $0.cpuModel = all.cpuModel }), (.personality, { $0.personality = all.personality }),
      (.devices, { $0.devices = all.devices }), (.dma, { $0.dma = all.dma }),
      (.scmiTranscript, { $0.scmiTranscript = all.scmiTranscript }),
      (.gunyahTranscript, { $0.gunyahTranscript = all.gunyahTranscript }), (.console, { $0.console = all.console }),
      (.control, { $0.control = all.control }), (.onReset, { $0.onReset = all.onReset }),
      (.unmapped, { $0.unmapped = all.unmapped }),
      (.timeout, { $0.timeout = all.timeout }), (.measuresMemory, { $0.measuresMemory = all.measuresMemory }),
      (.kvmPath, { $0.kvmPath = all.kvmPath }),
      (.deviceTreeOverlays, { $0.deviceTreeOverlays = all.deviceTreeOverlays }),
      (.deviceTreeDump, { $0.deviceTreeDump = all.deviceTreeDump }),
      (.debugger, { $0.debugger = all.debugger }),
    ]
    #expect(changes.map(\.0) == Configuration.Property.allCases)

    for (property, change) in changes {
      let before = plain
      change(&plain)
      #expect(plain != before, "\(property)")
      #expect(try configuration(text(plain)) == plain, "\(property)")
    }

    #expect(plain == all)
  }

  @Test(
    arguments: [
      .stream, .standardStreams, .none, .descriptor(3), .file(path: "a"), .pseudoTerminal(), .pseudoTerminal(link: "l"),
    ] as [Configuration.Console],
    [.open, .confined(), .confined(windowSize: 4 << 20)] as [Configuration.DMA]
  )
  func everyCaseComesBack(console: Configuration.Console, dma: Configuration.DMA) throws {
    var plain = Configuration(kernel: "Image")
    plain.console = console
    plain.dma = dma

    #expect(try configuration(text(plain)) == plain)
  }

  @Test(arguments: [
    Duration.zero, .nanoseconds(1), .milliseconds(1500), .seconds(-1),
    .init(secondsComponent: 0, attosecondsComponent: -1),
  ])
  func everyDurationIsExact(timeout: Duration) throws {
    var plain = Configuration(kernel: "Image")
    plain.timeout = timeout

    #expect(try configuration(text(plain)).timeout == timeout)
  }

  @Test func whatIsMissingHasItsDefault() throws {
    let coded = """
      {"payload": {"kernel": {"path": "Image"}}, "initramfs": null, "timeout": {"seconds": 10},
       "devices": [{"block": {"path": "disk.img"}}, {"network": {"connection": "passt"}}, {"console": {}},
                   {"entropy": {}, "window": "e"}]}
      """

    let read = try configuration(coded)

    var expected = Configuration(kernel: "Image")
    expected.timeout = .seconds(10)
    expected.devices = [
      .init(.block(.init(path: "disk.img"))), .init(.network(.init(.passt()))), .init(.console(.init())),
      .init(.entropy),
    ]
    expected.devices[3].window = "e"
    #expect(read == expected)
  }

  @Test(arguments: [
    ("{}", "payload: is missing"), (#"{"kernel": 1}"#, "kernel: there is no such key; give payload, initramfs"),
    (#"{"payload": {"image": {}}}"#, "payload.image: there is no such key; give kernel, raw"),
    (#"{"payload": {"kernel": {}}}"#, "payload.kernel.path: is missing"),
    (#"{"payload": "kernel"}"#, "payload.kernel.path: is missing"),
    (#"{"payload": {"kernel": {"path": "a"}, "raw": {"path": "a"}}}"#, "payload: has 2 of kernel, raw; give one"),
    (#"{"payload": {"kernel": {"path": "a"}}, "cpus": 1}"#, "cpus: there is no such key"),
    (#"{"payload": {"kernel": {"path": "a"}}, "memorySize": {"byte": 1}}"#, "memorySize.byte: there is no such key"),
    (#"{"payload": {"kernel": {"path": "a"}}, "uuid": "5"}"#, "uuid: '5' is no UUID"),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "console": "tty"}"#,
      "console: takes 'stream', 'standardStreams', 'file', "
    ),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "dma": "none"}"#, "dma: takes 'confined', 'shadow' or 'open', not 'none'"
    ),
    (#"{"payload": {"kernel": {"path": "a"}}, "personality": "x"}"#, "personality: takes 'kvm' or 'gunyah', not 'x'"),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "pages": "big"}"#,
      "pages: takes 'hugeWherePossible', 'huge' or 'small', not 'big'"
    ),
    (#"{"payload": {"kernel": {"path": "a"}}, "unmapped": ""}"#, "unmapped: takes 'fault' or 'zero', not ''"),
    (#"{"payload": {"kernel": {"path": "a"}}, "onReset": "x"}"#, "onReset: takes 'reboot' or 'stop', not 'x'"),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "devices": [{"share": {"path": "a", "tag": "b", "access": "x"}}]}"#,
      "devices[0].share.access: takes 'inPlace', "
    ),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "devices": [{"messages": {"model": "x", "socket": "s"}}]}"#,
      "devices[0].messages.model: takes '"
    ),

    (#"{"payload": {"kernel": {"path": "a"}}, "console": {"none": {"x": 1}}}"#, "console.none.x: there is no such key"),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "devices": [{"entropy": {}}, {"block": {"path": "a", "queues": 1}}]}"#,
      "devices[1].block.queues: there is no such key; give path, isReadOnly, serial, queueCount"
    ),
    (#"{"payload": {"kernel": {"path": "a"}}, "devices": [{}]}"#, "devices[0]: has 0 of entropy, block"),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "devices": [{"network": {"connection": {"tap": {"nam": "t"}}}}]}"#,
      "devices[0].network.connection.tap.nam: there is no such key"
    ),
    (
      #"{"payload": {"kernel": {"path": "a"}}, "devices": [{"network": {"connection": "passt", "mac": "x"}}]}"#,
      "devices[0].network.mac: 'x' is none"
    ),
  ])
  func aMistakeIsToldWithItsPath(coded: String, message: String) throws {
    do {
      _ = try configuration(coded)
      Issue.record("\(coded) was read")
    } catch DecodingError.dataCorrupted(let context) {
      #expect(context.debugDescription.hasPrefix(message), "\(context.debugDescription)")
    }
  }

  @Test func aNumberOfTheWrongFormIsToldWithItsPath() throws {
    do {
      _ = try configuration(#"{"payload": {"kernel": {"path": "a"}}, "devices": [{"block": {"path": 1}}]}"#)
      Issue.record("a path that is a number was read")
    } catch DecodingError.typeMismatch(_, let context) {
      #expect(
        context.codingPath.map { $0.intValue.map { "\($0)" } ?? $0.stringValue } == ["devices", "0", "block", "path"]
      )
    }
  }
}
