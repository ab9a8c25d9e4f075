import Apus
import ArgumentParser
import Glibc
import Host

@main
struct ApusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "A small KVM-backed virtual machine monitor for arm64.",
    discussion: """
      Examples:
        apus run --kernel Image --initrd initramfs.cpio --append 'console=ttyAMA0'
        apus run --kernel program.elf --cpus 4 --memory 64M --timeout 10 \\
          --report report.json
        apus test --kernel Image --run test.sh
        apus exec --kernel Image -- uname -r
        apus control apus info
        apus devicetree --cpus 2 --format dts
        apus doctor
        apus scmi check platform.json

      The guest's console is on standard output, everything that Apus itself says on standard error.
      """,
    version: ApusVersion.current,
    subcommands: [
      Run.self, ListCommand.self, ControlCommand.self, ConsoleCommand.self, DeviceTree.self, Doctor.self,
      CPUModelCommand.self, SCMICommand.self, GunyahCommand.self, DeviceCommand.self, TestCommand.self,
      ExecCommand.self,
    ]
  )

  static func main() {
    StandardStreams.reserve()
    // For a debugger, or whoever measures the process.
    // SAFETY: the text is a constant, and the environment has not been changed.
    if unsafe getenv("APUS_DUMPABLE") == nil { ProcessMemory.hide() }
    let words = ArgumentWords.all
    do {
      if QEMUDoor.isCalled {
        try QEMUDoor.run(words)
      } else if let request = QuickArguments.request(words) {
        try request.run()
      } else if let request = QuickArguments.testRequest(words) {
        try request.run()
      } else if let request = QuickArguments.execRequest(words) {
        try request.run()
      } else {
        if let mistake = CommandNames.mistake(in: words) { throw ValidationError(mistake) }
        if let option = ArgumentWords.repeatedOption(words) {
          throw ValidationError("'\(option)' is there twice; give it once.")
        }
        var command = try parseAsRoot(words)
        try command.run()
      }
    } catch let status as ExitCode {
      // All has been said; the argument parser would ask the runtime a dozen times what kind of error this is.
      Glibc.exit(status.rawValue)
    } catch {
      Glibc.exit(Message.answer(error))
    }
  }
}
