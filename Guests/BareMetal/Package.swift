// swift-tools-version: 6.2

import PackageDescription

/// Embedded Swift. The linker drops what a guest does not use, function by function.
let embedded: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Embedded"),
  .unsafeFlags(["-Osize", "-Xfrontend", "-function-sections", "-Xfrontend", "-disable-stack-protector"]),
]

/// Without a heap.
let guest = embedded + [.unsafeFlags(["-no-allocations"])]

/// The guests written in Swift, a folder each. `off` is assembly alone and stands for itself.
let guests = [
  "counters", "echo", "firmware", "hello", "hostile", "hotplug", "identity", "iommu", "mmio", "panic", "pending",
  "puppet",
  "reset", "secondaries", "slots", "spin", "timer", "unmapped",
]

// Each guest is a static library; `build` links it twice, as an ELF executable and as a raw binary, because the two
// stand at different addresses.
let package = Package(
  name: "bare-metal-guests",
  products: (guests + ["off"]).map { .library(name: $0, type: .static, targets: [$0]) },
  targets: [
    .target(name: "Machine", cSettings: [.unsafeFlags(["-ffreestanding", "-O2", "-ffunction-sections"])]),
    .target(name: "Support", dependencies: ["Machine"], swiftSettings: guest),
    // The unit tests' own, by a symbolic link. It has functions for tests that need a heap; no guest may call them.
    .target(name: "VirtioDriver", swiftSettings: embedded),
    .target(name: "off"),
  ]
    + guests.map { name in
      .target(
        name: name,
        dependencies: ["hostile", "hotplug", "iommu"].contains(name) ? ["Support", "VirtioDriver"] : ["Support"],
        swiftSettings: guest
      )
    }
)
