/// What stands behind one port of a ``ConsoleDevice``. All on the device thread; nothing may block.
public protocol ConsolePort: AnyObject, SendableMetatype {
  /// Takes bytes from the guest.
  ///
  /// The bytes are the guest's own memory and may change while they are read: who looks at them copies them once.
  ///
  /// - Returns: how many were taken. Fewer than given means that there is no room: then
  ///   ``ConsoleDevice/portWritable(_:)`` is to be called, once, when there is. Meanwhile the guest waits with a full
  ///   ring, and nothing else does.
  func take(_ bytes: UnsafeRawBufferPointer) -> Int

  /// Takes the last bytes of a driver that is resetting the device: what finds no room now is lost.
  ///
  /// A guest's program has done its part when its bytes are in the ring, and a guest that powers off resets its
  /// devices.
  func takeLast(_ bytes: UnsafeRawBufferPointer)

  /// Gives bytes to the guest.
  ///
  /// - Returns: how many; 0: there are none now. Then ``ConsoleDevice/portReadable(_:)`` is to be called, once, when
  ///   there are. It need not be called while the guest has no buffers: the device asks again when it has.
  func give(into buffer: UnsafeMutableRawBufferPointer) -> Int

  /// The guest opened or closed the port.
  func guestChanged(isOpen: Bool)
}

extension ConsolePort {
  /// Takes what there is room for.
  public func takeLast(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the bytes are passed on as they came.
    _ = unsafe take(bytes)
  }
}

/// How a port shows itself to the guest.
public struct ConsolePortDescription: Equatable, Sendable {
  /// By which the guest finds it: `/dev/virtio-ports/NAME`. At most 127 bytes.
  public var name: String?
  /// Whether it is a console (hvc0, hvc1, …) and not just a channel.
  public var isConsole: Bool
  /// Whether something is connected on the host's side from the beginning.
  public var isConnected: Bool

  public init(name: String? = nil, isConsole: Bool = false, isConnected: Bool = true) {
    self.name = name
    self.isConsole = isConsole
    self.isConnected = isConnected
  }
}
