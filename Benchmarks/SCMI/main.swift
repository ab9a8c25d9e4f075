import SCMI
import SCMIFile

/// Sends CLOCK_RATE_GET to a platform: bytes in, bytes out. Run under a counter of instructions or allocations with two
/// counts: the difference is what the requests cost.
///
///     SCMIBenchmark AGENTS CLOCKS-PER-AGENT REQUESTS

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 3 else { fatalError("usage: SCMIBenchmark AGENTS CLOCKS-PER-AGENT REQUESTS") }

/// In a function: accesses to global variables would be checked for exclusivity, and counted.
func run(agents: Int, clocks: Int, requests: Int) throws -> UInt64 {
  let definition = PlatformDefinition { platform in
    for index in 0..<agents * clocks {
      platform.clocks.append(
        ClockDefinition("clock\(index)") { $0.rates = .range(minimum: 1_000, maximum: 1_000_000_000, step: 1) }
      )
    }
    for agent in 0..<agents {
      platform.agents.append(
        AgentDefinition("agent\(agent)") { definition in
          definition.resources = (0..<clocks).map { clock in
            ResourceSelection(ResourceName(.clock, "clock\(agent * clocks + clock)"))
          }
        }
      )
    }
  }
  var platform = try SCMIPlatform(definition)
  var bytes = [UInt8](repeating: 0, count: 8)
  var answer = [UInt8](repeating: 0, count: SCMIMessage.maximumSize)
  var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
  let header = MessageHeader(ClockProtocol.Message.rateGet).rawValue
  for shift in 0..<4 { bytes[shift] = UInt8(truncatingIfNeeded: header >> (8 * UInt32(shift))) }
  var checksum: UInt64 = 0
  for request in 0..<requests {
    let clock = request % clocks
    bytes[4] = UInt8(truncatingIfNeeded: clock)
    bytes[5] = UInt8(truncatingIfNeeded: clock >> 8)
    let disposition = platform.handle(
      bytes: bytes.span,
      from: request % agents,
      at: UInt64(request),
      reply: &reply
    )
    guard disposition == .reply else { fatalError("no reply") }
    var span = answer.mutableSpan
    let length = reply.write(to: &span)
    checksum &+= UInt64(answer[8]) &+ UInt64(length)
  }
  return checksum
}

print(try run(agents: arguments[0], clocks: arguments[1], requests: arguments[2]))
