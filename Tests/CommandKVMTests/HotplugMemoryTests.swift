import ApusTesting
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Hot-plug memory from a shell")
  struct HotplugMemoryTests {
    /// The commands of Documentation/Memory.md, each of one line, as their words.
    private static func commands() -> [[String]] {
      let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
      let page = HostFiles.text(root + "/Documentation/Memory.md")
      let joined = page.split(separator: "\n").joined(separator: "\n").split(separator: "\\\n").joined()
      return joined.split(separator: "\n").filter { $0.hasPrefix("    apus ") }.map { line in
        // Words with spaces stand between apostrophes.
        line.split(separator: "'").enumerated().flatMap { index, part in
          index % 2 == 0 ? part.split(separator: " ").map(String.init) : [String(part)]
        }
      }
    }

    @Test("the page's commands start a Linux guest with memory, give it more and tell how far it is")
    func page() throws {
      let commands = Self.commands()
      let files = ["Image": try GuestFile.linux(), "initramfs.cpio": try GuestFile.initramfs()]
      try #require(commands.count == 3)
      let machine = try CommandProcess(
        commands[0].dropFirst().map { files[$0] ?? $0 } + ["--append", "quiet apus_mode=idle"]
      )
      func ask(_ words: [String]) throws -> String {
        let client = try CommandProcess(Array(words.dropFirst()))
        let end = try client.wait()
        return end == .exited(0) ? client.outputText : ""
      }

      // Until the guest has what it is to have at its start, and then what was asked for.
      let hasStarted = becomesTrue(within: .seconds(120)) {
        (try? ask(commands[2]).contains("\(512 << 20)")) == true && (try? Self.plugged(ask(commands[2]))) == 512 << 20
      }
      let answer = try ask(commands[1])
      let hasGrown = becomesTrue(within: .seconds(120)) { (try? Self.plugged(ask(commands[2]))) == 3 << 30 }
      _ = try ask(["apus", "control", "apus", "kill"])

      #expect(hasStarted)
      #expect(answer.contains("\(3 << 30)"), "\(answer)")
      #expect(hasGrown)
      #expect(try machine.wait() == .exited(0))
    }

    /// What a region has by `apus control`'s lines.
    private static func plugged(_ text: String) -> Int? {
      let line = text.split(separator: "\n").first { $0.contains("plugged") }
      return line?.split { !$0.isNumber }.last.flatMap { Int($0) }
    }
  }
}
