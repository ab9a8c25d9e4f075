// swift-tools-version: 6.2

import PackageDescription

/// The programs that `Benchmarks/run` measures beside `apus`: a package of their own, so that they see of the library
/// what users see of it.
///
/// `Guests/Setup/cross-swift build` in this folder builds them into the scratch folder of the package above, where the
/// library has been compiled already.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// As `apus` is linked: the package above says why.
let quickStart: [LinkerSetting] = [
  .unsafeFlags(
    [
      "-use-ld=lld", "-Xlinker", "--defsym=__register_frame_info=0", "-Xlinker", "--defsym=__deregister_frame_info=0",
      "-Xlinker", "--eh-frame-hdr",
      "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/StartOrder/order.txt",
      "-Xlinker", "--no-warn-symbol-ordering",
    ],
    .when(platforms: [.linux], configuration: .release)
  )
]

let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "apus", path: "..")],
  targets: [
    .executableTarget(
      name: "LibraryBenchmark",
      dependencies: [.product(name: "Apus", package: "apus")],
      path: "Library",
      swiftSettings: strict,
      linkerSettings: quickStart
    ),
    .executableTarget(
      name: "MemoryBenchmark",
      dependencies: [.product(name: "Apus", package: "apus")],
      path: "Memory",
      swiftSettings: strict,
      linkerSettings: quickStart
    ),
    .target(name: "CCounts", path: "CCounts"),
    .executableTarget(
      name: "GunyahBenchmark",
      dependencies: ["CCounts", .product(name: "Apus", package: "apus")],
      path: "Gunyah",
      swiftSettings: strict,
      linkerSettings: quickStart + [
        .unsafeFlags(
          ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"].flatMap { ["-Xlinker", "--wrap=\($0)"] },
          .when(platforms: [.linux])
        )
      ]
    ),
    .executableTarget(
      name: "HarnessBenchmark",
      dependencies: [.product(name: "ApusHarness", package: "apus")],
      path: "Harness",
      swiftSettings: strict,
      linkerSettings: quickStart
    ),
    .executableTarget(
      name: "SCMIBenchmark",
      dependencies: [.product(name: "SCMI", package: "apus")],
      path: "SCMI",
      exclude: ["measure", "node.dts", "platform-200"],
      swiftSettings: strict,
      linkerSettings: quickStart
    ),
  ]
)
