import PackagePlugin

/// Compiles the guest's agent with the toolchain's own clang, and makes a Swift file of it: a program that carries its
/// agent needs no file beside it.
@main
struct EmbedAgent: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let folder = context.package.directoryURL.appending(path: "Guests/Agent")
    let script = folder.appending(path: "build")
    let output = context.pluginWorkDirectoryURL.appending(path: "AgentProgram.swift")
    let clang = try context.tool(named: "clang").url
    return [
      .buildCommand(
        displayName: "Compiling the guest's agent",
        executable: script,
        arguments: [clang.path(), output.path()],
        inputFiles: [script, folder.appending(path: "agent.c"), folder.appending(path: "system.h")],
        outputFiles: [output]
      )
    ]
  }
}
