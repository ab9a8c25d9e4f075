/// Why a device interrupts its driver.
public enum InterruptCause: Equatable, Sendable {
  /// Buffers were used in these queues, a bit for each: a transport with an interrupt for each queue raises those.
  case usedBuffers(queues: UInt64)
  case configurationChange
}

/// A device's interrupt, as the interrupt controller or another process sees it: edge-triggered.
public protocol InterruptLine: AnyObject, Sendable {
  /// Raises one edge. From any thread; must not block. It is called once for a batch, never once for a request.
  func raise(_ cause: InterruptCause)
}
