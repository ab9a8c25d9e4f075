import ApusControl
import ArgumentParser
internal import CHost
internal import Glibc
import Host
import HostBackends

extension ApusCommand {
  struct ConsoleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "console",
      abstract: "Be at a running machine's console.",
      discussion: """
        On a terminal, Ctrl-A x leaves the console, and the machine goes on; Ctrl-A h shows the keys. Several may be at
        one console at once.

        Examples:
          apus console apus
          echo reboot | apus console ./socket

        Exit status: 0 when left or when the machine has ended, 69 if there is no such machine, 73 if standard output \
        cannot be written.
        """
    )

    @Argument(help: "The machine's name or its socket's path.", completion: MachineNames.completion)
    var machine: String

    @Flag(inversion: .prefixedNo, help: "Show the last 64 KiB of what the guest wrote before.")
    var replay = true

    private static let keys = "Ctrl-A x: leave the console   Ctrl-A Ctrl-A: send Ctrl-A   Ctrl-A h: this help"

    func run() throws {
      try Message.reportingAny { try attach() }
    }

    private func attach() throws {
      let client = try ControlClient(machine)
      var parameters = Control.ConsoleSubscribe.Parameters()
      parameters.encoding = .base64
      parameters.replay = replay
      _ = try client.call(Control.ConsoleSubscribe.self, parameters)
      var events = Control.EventsSubscribe.Parameters()
      events.kinds = [.ended, .panic, .guestFault]
      _ = try client.call(Control.EventsSubscribe.self, events)
      let isTerminal = isatty(STDIN_FILENO) == 1 && chost_terminal_is_ours(STDIN_FILENO)
      if isTerminal {
        Message.say(Self.keys)
        _ = chost_terminal_make_raw(STDIN_FILENO)
      }
      defer { if isTerminal { chost_terminal_restore() } }
      var escapes = isTerminal ? EscapeSequence() : nil
      var hasInput = true
      while true {
        while client.hasNotice {
          guard let notice = try client.nextNotice(within: .zero) else { break }
          if try !show(notice) { return }
        }
        if hasInput {
          chost_wait_for_either(STDIN_FILENO, client.descriptor, -1)
        } else {
          _ = chost_wait(client.descriptor, Int16(POLLIN), -1)
        }
        if hasInput, chost_wait(STDIN_FILENO, Int16(POLLIN), 0) {
          let typed = Self.readInput()
          if typed.isEmpty { hasInput = false }
          guard try send(typed, &escapes, client) else { return }
        }
        if chost_wait(client.descriptor, Int16(POLLIN), 0), let notice = try client.nextNotice(within: .zero) {
          if try !show(notice) { return }
        }
      }
    }

    private static func readInput() -> [UInt8] {
      // SAFETY: the buffer is this call's own and its size goes along.
      unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
        let count = unsafe read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        return unsafe count > 0 ? Array(buffer[..<count]) : []
      }
    }

    /// - Returns: false where the person leaves.
    private func send(
      _ typed: [UInt8],
      _ escapes: inout EscapeSequence?,
      _ client: ControlClient
    ) throws(ControlError) -> Bool {
      var passed: [UInt8] = []
      for key in typed {
        switch escapes?.take(key) ?? .pass(key) {
        case .pass(let byte): passed.append(byte)
        case .wait: break
        case .quit: return false
        case .help: Message.say(Self.keys)
        }
      }
      guard !passed.isEmpty else { return true }
      var parameters = Control.ConsoleSend.Parameters()
      parameters.encoding = .base64
      parameters.data = Base64.encode(passed)
      while true {
        do throws(ControlError) {
          _ = try client.call(Control.ConsoleSend.self, parameters)
          return true
        } catch {
          // The guest has not read what was typed before; a file's rest waits for it.
          guard error.code == .refused, escapes == nil else { throw error }
          chost_pause(20)
        }
      }
    }

    /// - Returns: false where the machine has ended, or nobody reads its output any more.
    private func show(_ notice: ControlClient.Notice) throws -> Bool {
      if let output = try notice.content(as: Control.ConsoleOutput.self) {
        let lost = notice.envelope.lost
        if lost > 0 { Message.say("\(lost) pieces of output were lost: they were not read as fast as they came") }
        return try StandardStreams.writeOutput(Base64.decode(output.data) ?? [])
      } else if let event = try notice.content(as: Control.Event.self), notice.isEnd {
        Message.say("the machine has ended: \(event.message)")
        return false
      }
      return true
    }
  }
}
