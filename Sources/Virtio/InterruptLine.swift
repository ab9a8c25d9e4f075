/// A device's interrupt, as the interrupt controller sees it: edge-triggered.
public protocol InterruptLine: AnyObject, Sendable {
  /// Raises one edge. From any thread; must not block. It is called once for a batch, never once for a request.
  func raise()
}
