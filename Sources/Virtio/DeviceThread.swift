/// The thread on which devices process their queues. The machine supplies it.
public protocol DeviceThread: AnyObject, Sendable {
  /// Has `work` run on the device thread, after what was posted earlier, never in the middle of something else.
  /// From any thread; does not wait.
  func post(_ work: @escaping @Sendable () -> Void)

  /// Has `work` run on the device thread and waits until it, or something that it began there, calls `finish`: once.
  ///
  /// From any thread but the device thread, which would wait for itself. The device thread goes on with its other work
  /// between the end of `work` and the call of `finish`.
  func perform(_ work: @escaping @Sendable (_ finish: @escaping @Sendable () -> Void) -> Void)
}
