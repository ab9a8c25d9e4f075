import ArgumentParser

/// Tests in guests, and what they came to.
struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Join the reports of a suite's parts.",
    subcommands: [TestMerge.self]
  )
}
