import Host

/// A guest's console as ``ConsoleLink`` sees it, whichever device carries it. On the device thread.
package protocol GuestConsole: AnyObject {
  /// A descriptor that is readable when there is output to take.
  var outputDescriptor: Int32 { get }
  /// Takes note of it.
  func answerOutput()
  /// Makes it readable in so many nanoseconds.
  func armOutput(after nanoseconds: UInt64)

  /// A descriptor that is readable when there is room again for input that was refused.
  var inputRoomDescriptor: Int32 { get }
  /// Takes note of it.
  func answerInputRoom()
  /// Makes it readable, from any thread.
  var signalInputRoom: @Sendable () -> Void { get }

  /// Takes up to `limit` bytes of output, and lets the guest go on where it waited for room.
  func takeOutput(limit: Int) -> [UInt8]
  /// How many bytes of input fit. Where it is 0, ``inputRoomDescriptor`` will be readable.
  func inputSpace() -> Int
  /// Queues input for the guest.
  ///
  /// - Precondition: it fits; see ``inputSpace()``.
  func receive(_ bytes: ArraySlice<UInt8>)
}
