// swift-tools-version: 6.2

import PackageDescription

/// Every Swift target is compiled with these; `make check` builds with them and nothing else.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// For the programs that are linked statically: the C library's start code for those registers the unwind tables at
/// each start, reading all of them, which is 2.5 million instructions in the smallest program. Without the function it
/// doesn't, and unwinding finds the tables by their header, as in every other program. At the end there is nothing to
/// take back, for which it would read them, too.
let quickStart: [LinkerSetting] = [
  .unsafeFlags(
    [
      // The order of symbols is an option of lld's, which comes with the toolchain.
      "-use-ld=lld", "-Xlinker", "--defsym=__register_frame_info=0", "-Xlinker", "--defsym=__deregister_frame_info=0",
      "-Xlinker", "--eh-frame-hdr",
      "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Benchmarks/StartOrder/order.txt",
      "-Xlinker", "--no-warn-symbol-ordering",
    ],
    .when(platforms: [.linux], configuration: .release)
  )
]

/// Not for users: what the fuzz targets see of the library's insides. They are a package of their own, and of another
/// one SwiftPM lets them see products alone; these are there only where `Tests/Fuzz/build` asks for them.
let forFuzzing: [Product] =
  Context.environment["APUS_FUZZING"] == nil
  ? []
  : [
    .library(name: "SCMIFuzzing", targets: ["SCMI", "SCMIFile", "SCMIFuzzing"]),
    .library(name: "BootImageTesting", targets: ["BootImage", "BootImageTesting", "GuestMemory"]),
    .library(name: "SnapshotTesting", targets: ["SnapshotTesting"]),
    .library(name: "AgentProtocol", targets: ["AgentProtocol"]),
    .library(name: "ControlTesting", targets: ["ControlTesting"]),
    .library(name: "VhostUserTesting", targets: ["VhostUserTesting"]),
    .library(name: "DeviceTree", targets: ["DeviceTree"]),
    .library(name: "MessagesTesting", targets: ["MessagesTesting"]),
    .library(name: "QEMUTesting", targets: ["QEMUTesting"]),
    .library(name: "ResourceManagerTesting", targets: ["ResourceManagerTesting"]),
    .library(name: "SecondaryTreeTesting", targets: ["SecondaryTreeTesting"]),
    .library(name: "CPUModelTesting", targets: ["CPUModelTesting"]),
    .library(name: "GunyahTesting", targets: ["GunyahTesting"]),
    .library(name: "DebuggerTesting", targets: ["AArch64", "Debugger", "DebuggerTesting"]),
    .library(
      name: "VirtioTesting",
      targets: ["GuestMemory", "Virtio", "VirtioDevices", "VirtioDriver", "VirtioMMIO", "VirtioTesting"]
    ),
  ]

let package = Package(
  name: "apus",
  products: [
    .library(name: "Apus", targets: ["Apus"]),
    .library(name: "ApusControl", targets: ["ApusControl"]),
    .library(name: "ApusHarness", targets: ["ApusHarness"]),
    .library(name: "SCMI", targets: ["SCMI", "SCMIFile"]),
    .library(name: "ApusTesting", targets: ["ApusTesting", "ApusGuest"]),
    .library(name: "VhostUser", targets: ["VhostUser", "Virtio"]),
    .executable(name: "apus", targets: ["ApusCommand"]),
  ] + forFuzzing,
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    .target(name: "CKVM"),
    .target(name: "CHost"),
    .target(name: "Host", dependencies: ["CHost"], swiftSettings: strict),
    .testTarget(
      name: "HostTests",
      dependencies: ["CHost", "Host", "TestSupport"],
      swiftSettings: strict
    ),
    .systemLibrary(name: "CFDT", providers: [.apt(["libfdt-dev"])]),
    .target(name: "CGuestMemory"),
    .target(name: "GuestMemory", dependencies: ["CHost", "CGuestMemory", "Host"], swiftSettings: strict),
    .target(name: "Virtio", dependencies: ["GuestMemory", "CGuestMemory"], swiftSettings: strict),
    .target(name: "VirtioMMIO", dependencies: ["GuestMemory", "Virtio"], swiftSettings: strict),
    .target(name: "VirtioDevices", dependencies: ["GuestMemory", "SCMI", "Virtio"], swiftSettings: strict),
    .target(
      name: "VhostUser",
      dependencies: ["CGuestMemory", "CHost", "GuestMemory", "Host", "Virtio"],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "vhost-user-die",
      dependencies: ["VhostUser", "Virtio"],
      path: "Documentation/Examples/VhostUserDevice",
      swiftSettings: strict
    ),
    .target(
      name: "VhostUserTesting",
      dependencies: [
        "CHost", "Host", "TestLimits", "VhostUser", "Virtio", "VirtioDriver", "VirtioMMIO", "VirtioTesting",
      ],
      path: "Tests/VhostUserTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "VhostUserTests",
      dependencies: [
        "CGuestMemory", "CHost", "GuestMemory", "Host", "SCMI", "SCMIFile", "TestLimits", "TestSupport", "VhostUser",
        "VhostUserTesting", "Virtio", "VirtioDevices", "VirtioDriver", "VirtioMMIO", "VirtioTesting",
      ],
      swiftSettings: strict
    ),
    .target(
      name: "DeviceMessages",
      dependencies: ["CGuestMemory", "CHost", "GuestMemory", "Host", "Virtio"],
      swiftSettings: strict
    ),
    .target(
      name: "MessagesTesting",
      dependencies: ["CHost", "DeviceMessages", "Host", "Virtio", "VirtioDevices", "VirtioDriver", "VirtioTesting"],
      path: "Tests/MessagesTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "DeviceMessagesTests",
      dependencies: [
        "CHost", "DeviceMessages", "GuestMemory", "Host", "MessagesTesting", "SCMI", "SCMIFile", "TestSupport",
        "Virtio", "VirtioDevices", "VirtioDriver", "VirtioMMIO", "VirtioTesting",
      ],
      swiftSettings: strict
    ),
    .target(name: "VirtioDriver", path: "Tests/VirtioDriver", swiftSettings: strict),
    .target(
      name: "VirtioTesting",
      dependencies: ["GuestMemory", "SCMI", "Virtio", "VirtioDevices", "VirtioDriver", "VirtioMMIO"],
      path: "Tests/VirtioTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "VirtioTests",
      dependencies: ["GuestMemory", "TestSupport", "Virtio", "VirtioDriver", "VirtioMMIO", "VirtioTesting"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "VirtioMMIOTests",
      dependencies: [
        "GuestMemory", "TestLimits", "TestSupport", "Virtio", "VirtioDriver", "VirtioMMIO", "VirtioTesting",
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "VirtioDevicesTests",
      dependencies: [
        "CHost", "GuestMemory", "SCMI", "SCMIFile", "TestSupport", "Virtio", "VirtioDevices", "VirtioDriver",
        "VirtioMMIO", "VirtioTesting",
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "GuestMemoryTests",
      dependencies: ["GuestMemory", "TestSupport", "VirtioTesting"],
      swiftSettings: strict
    ),
    .target(name: "Peripherals", swiftSettings: strict),
    .testTarget(name: "PeripheralsTests", dependencies: ["Peripherals", "TestSupport"], swiftSettings: strict),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "BootImage",
      dependencies: ["CHost", "CZlib", "CZstd", "GuestMemory", "Host"],
      swiftSettings: strict
    ),
    .target(
      name: "BootImageTesting",
      dependencies: ["BootImage", "CZlib", "CZstd", "GuestMemory"],
      path: "Tests/BootImageTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "BootImageTests",
      dependencies: ["BootImage", "BootImageTesting", "GuestMemory", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "PositionedJSON", swiftSettings: strict),
    .target(name: "CSnapshot"),
    .target(
      name: "Snapshot",
      dependencies: ["CHost", "CSnapshot", "Host", "PositionedJSON"],
      swiftSettings: strict
    ),
    .target(
      name: "SnapshotTesting",
      dependencies: ["Snapshot"],
      path: "Tests/SnapshotTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "SnapshotTests",
      dependencies: [
        "CHost", "CSnapshot", "CTestSupport", "GuestMemory", "Snapshot", "SnapshotTesting", "TestSupport",
      ],
      swiftSettings: strict
    ),
    .testTarget(name: "PositionedJSONTests", dependencies: ["PositionedJSON"], swiftSettings: strict),
    .target(name: "ApusHarness", dependencies: ["PositionedJSON"], swiftSettings: strict),
    .testTarget(
      name: "ApusHarnessTests",
      dependencies: ["ApusHarness", "PositionedJSON"],
      swiftSettings: strict
    ),
    .target(name: "ApusControl", dependencies: ["CHost", "Host", "PositionedJSON"], swiftSettings: strict),
    .target(
      name: "ControlTesting",
      dependencies: ["ApusControl", "CHost", "Host", "PositionedJSON"],
      path: "Tests/ControlTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "ApusControlTests",
      dependencies: ["ApusControl", "ControlTesting", "Host", "PositionedJSON", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "SCMI", swiftSettings: strict),
    .target(name: "SCMIFile", dependencies: ["PositionedJSON", "SCMI"], swiftSettings: strict),
    .target(name: "CPlatformSchema"),
    .target(name: "CCommandLine"),
    .target(
      name: "SCMIFuzzing",
      dependencies: ["SCMI", "SCMIFile"],
      path: "Tests/SCMIFuzzing",
      swiftSettings: strict
    ),
    .target(name: "SCMITesting", dependencies: ["SCMI", "SCMIFile"], path: "Tests/SCMITesting", swiftSettings: strict),
    .testTarget(
      name: "SCMITests",
      dependencies: ["SCMI", "SCMIFile", "SCMITesting", "TestSupport"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "SCMIFileTests",
      dependencies: ["PositionedJSON", "SCMI", "SCMIFile", "SCMIFuzzing", "SCMITesting", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "Gunyah", swiftSettings: strict),
    .target(name: "GunyahFile", dependencies: ["Gunyah", "PositionedJSON"], swiftSettings: strict),
    .target(
      name: "GunyahTesting",
      dependencies: ["Gunyah", "GunyahFile"],
      path: "Tests/GunyahTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "GunyahFileTests",
      dependencies: ["Gunyah", "GunyahFile", "GunyahTesting", "TestSupport"],
      swiftSettings: strict
    ),
    .target(
      name: "ResourceManagerTesting",
      dependencies: ["Gunyah"],
      path: "Tests/ResourceManagerTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "GunyahTests",
      dependencies: ["Gunyah", "GunyahTesting", "ResourceManagerTesting", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "AArch64", swiftSettings: strict),
    .testTarget(
      name: "AArch64Tests",
      dependencies: ["AArch64", "DebuggerTesting", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "Debugger", swiftSettings: strict),
    .target(
      name: "DebuggerTesting",
      dependencies: ["AArch64", "Debugger"],
      path: "Tests/DebuggerTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "DebuggerTests",
      dependencies: ["Debugger", "DebuggerTesting", "TestSupport"],
      swiftSettings: strict
    ),
    .target(name: "KVM", dependencies: ["CHost", "CKVM", "Host"], swiftSettings: strict),
    .target(name: "CPUModel", dependencies: ["KVM", "PositionedJSON"], swiftSettings: strict),
    .target(
      name: "CPUModelTesting",
      dependencies: ["CPUModel", "KVM"],
      path: "Tests/CPUModelTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "CPUModelTests",
      dependencies: ["CPUModel", "CPUModelTesting", "KVM", "PositionedJSON", "TestSupport"],
      exclude: ["Registers"],
      swiftSettings: strict
    ),
    .target(
      name: "HostBackends",
      dependencies: [
        "CHost", "GuestMemory", "Host", "SCMI", "SCMIFile", "VhostUser", "Virtio", "VirtioDevices",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "HostBackendsTests",
      dependencies: [
        "CHost", "GuestMemory", "Host", "HostBackends", "SCMI", "SCMIFile", "TestSupport", "VhostUser", "Virtio",
        "VirtioDevices", "VirtioDriver", "VirtioMMIO", "VirtioTesting",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    .target(name: "DeviceTree", dependencies: ["CFDT"], swiftSettings: strict),
    .testTarget(name: "DeviceTreeTests", dependencies: ["DeviceTree", "TestSupport"], swiftSettings: strict),
    .target(
      name: "GuestABI",
      dependencies: ["DeviceTree", "GuestMemory", "Host", "Peripherals", "SCMI", "VirtioMMIO"],
      swiftSettings: strict
    ),
    .target(
      name: "SecondaryTreeTesting",
      dependencies: ["DeviceTree", "GuestABI"],
      path: "Tests/SecondaryTreeTesting",
      swiftSettings: strict
    ),
    .testTarget(
      name: "GuestABITests",
      dependencies: [
        "DeviceTree", "GuestABI", "GuestMemory", "Host", "Peripherals", "SecondaryTreeTesting", "TestSupport",
      ],
      swiftSettings: strict
    ),
    .target(
      name: "Apus",
      dependencies: [
        "AArch64", "ApusControl", "CPUModel", "Debugger", "DeviceMessages", "GuestABI", "BootImage", "CHost", "Host",
        "HostBackends",
        "KVM",
        "CGuestMemory", "GuestMemory", "Gunyah", "GunyahFile", "DeviceTree", "Peripherals", "PositionedJSON", "SCMI",
        "Snapshot",
        "SCMIFile", "VhostUser", "Virtio", "VirtioDevices", "VirtioMMIO",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    .target(name: "CTestSupport", path: "Tests/CTestSupport"),
    .target(
      name: "TestSupport",
      dependencies: ["CTestSupport", "TestLimits", .product(name: "Logging", package: "swift-log")],
      path: "Tests/TestSupport",
      swiftSettings: strict
    ),
    .testTarget(
      name: "ApusTests",
      dependencies: [
        "Apus", "GuestABI", "BootImage", "CTestSupport", "DeviceTree", "GuestMemory", "Host", "HostBackends",
        "Peripherals", "SCMI", "SCMIFile", "TestSupport", "Virtio", "VirtioDevices",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Apus", "ApusCommand", "ApusControl", "ApusGuest", "ApusHarness", "CHost", "Host", "QEMUSyntax", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict
    ),
    .target(name: "QEMUSyntax", dependencies: ["PositionedJSON"], swiftSettings: strict),
    .target(
      name: "QEMUTesting",
      dependencies: ["QEMUSyntax"],
      path: "Tests/QEMUTesting",
      swiftSettings: strict
    ),
    .testTarget(name: "QEMUSyntaxTests", dependencies: ["QEMUSyntax", "QEMUTesting"], swiftSettings: strict),
    // Limits of time: what users' tests and this package's own wait by.
    .target(name: "TestLimits", swiftSettings: strict),
    .testTarget(name: "TestSupportTests", dependencies: ["TestLimits", "TestSupport"], swiftSettings: strict),
    .plugin(name: "EmbedAgent", capability: .buildTool(), path: "Guests/Agent", sources: ["EmbedAgent.swift"]),
    .target(name: "AgentProtocol", swiftSettings: strict),
    .target(
      name: "ApusGuest",
      dependencies: ["AgentProtocol", "Apus", "ApusControl", "ApusHarness", "CHost", "Host", "SCMI", "TestLimits"],
      swiftSettings: strict,
      plugins: ["EmbedAgent"]
    ),
    .testTarget(
      name: "ApusGuestTests",
      dependencies: ["AgentProtocol", "ApusGuest", "CHost", "Host", "TestLimits", "TestSupport"],
      swiftSettings: strict
    ),
    .target(
      name: "ApusTesting",
      dependencies: ["Apus", "ApusGuest", "Host", "SCMI", "SCMIFile"],
      swiftSettings: strict
    ),
    .target(
      name: "GuestSupport",
      dependencies: ["Debugger", "DebuggerTesting", "TestLimits", "TestSupport"],
      path: "Tests/GuestSupport",
      swiftSettings: strict
    ),
    .target(
      name: "GunyahSupport",
      dependencies: ["Apus", "ApusGuest", "DeviceTree", "Gunyah", "ResourceManagerTesting"],
      path: "Tests/GunyahSupport",
      swiftSettings: strict
    ),
    .testTarget(
      name: "KVMTests",
      dependencies: [
        "Apus", "ApusGuest", "CPUModel", "GuestABI", "ApusTesting", "Debugger", "GuestMemory", "GuestSupport", "Gunyah",
        "GunyahFile", "GunyahSupport", "KVM", "ResourceManagerTesting", "TestLimits", "TestSupport", "Virtio",
        "VirtioDriver",
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "GuestTests",
      dependencies: [
        "Host",
        "Apus", "ApusTesting", "CPUModel", "CTestSupport", "DeviceTree", "GuestSupport", "KVM", "SCMI",
        "SCMIFile",
        "TestLimits",
        "TestSupport",
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "CommandKVMTests",
      dependencies: [
        "Apus", "ApusControl", "ApusHarness", "ApusTesting", "CHost", "CTestSupport", "Debugger", "GuestSupport",
        "Host",
        "TestLimits", "TestSupport",
      ],
      exclude: ["every-method.py"],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "ApusCommand",
      dependencies: [
        "Apus", "ApusControl", "ApusGuest", "ApusHarness", "CCommandLine", "CHost", "CPlatformSchema", "DeviceMessages",
        "Gunyah", "GunyahFile", "Host", "HostBackends", "PositionedJSON", "QEMUSyntax", "SCMI", "SCMIFile", "Virtio",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict,
      linkerSettings: quickStart
    ),
  ]
)

// Not for users: an emulated machine with KVM is there for the tests that need it, and the others' build for it takes
// as long as theirs. `with_kvm_tests` in Guests/Setup/common.sh asks for that.
if Context.environment["APUS_TESTS"] == "kvm" {
  let wanted: Set = ["KVMTests", "GuestTests", "CommandKVMTests"]
  package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
