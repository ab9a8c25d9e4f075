package import Host
import VirtioDevices

/// What stands behind a port of a machine's console device. All on the device thread.
///
/// A base class and not a protocol: the ports of one device have one type, and the call is one indirect jump.
package class HostPort: ConsolePort {
  /// Tells the device that there are bytes for the guest. Set before the machine starts.
  package var becameReadable: () -> Void = {}
  /// Tells the device that there is room again.
  package var becameWritable: () -> Void = {}

  package func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    preconditionFailure("a port says what becomes of the guest's bytes")
  }

  package func takeLast(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the bytes are passed on as they came.
    _ = unsafe take(bytes)
  }

  /// A port that only takes has nothing to give.
  package func give(into buffer: UnsafeMutableRawBufferPointer) -> Int { 0 }

  package func guestChanged(isOpen: Bool) {}
}

/// Port 0 of a console device as the machine's console: two queues between the guest's buffers and the console's link.
package final class VirtioConsolePort: HostPort, GuestConsole {
  private static let outputCapacity = 16 << 10
  private static let inputCapacity = 1 << 10

  /// How long the first character of a batch waits for others, in nanoseconds: below what a person notices.
  private static let batchTime: UInt64 = 1_000_000

  private let timer: SharedTimer
  private let room: SharedEventDescriptor
  private var output = ByteRing(capacity: VirtioConsolePort.outputCapacity)
  private var input = ByteRing(capacity: VirtioConsolePort.inputCapacity)
  private var guestIsOpen = false
  private var guestWaits = false
  private var sourceWaits = false

  package init(timer: SharedTimer, room: SharedEventDescriptor) {
    self.timer = timer
    self.room = room
    super.init()
  }

  // MARK: The guest's side

  package override func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    let waiting = output.count
    let count = min(bytes.count, output.space)
    for index in 0..<count {
      // SAFETY: the buffer is valid for the call, and each byte is read once.
      _ = output.append(unsafe bytes[index])
    }
    if count < bytes.count { guestWaits = true }
    // Once for a batch, and once more to hurry when it has grown large: a kernel's messages come 16 bytes at a time.
    let half = Self.outputCapacity / 2
    if waiting < half, output.count >= half {
      timer.value.arm(after: 1)
    } else if waiting == 0, count > 0 {
      timer.value.arm(after: Self.batchTime)
    }
    return count
  }

  package override func give(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    // A guest throws away what comes before it has opened the port.
    guard guestIsOpen else { return 0 }
    var count = 0
    while count < buffer.count, let byte = input.removeFirst() {
      // SAFETY: the buffer is valid for the call, and the index is below its size.
      unsafe buffer[count] = byte
      count += 1
    }
    if sourceWaits, input.space >= Self.inputCapacity / 2 {
      sourceWaits = false
      room.value.signal()
    }
    return count
  }

  package override func guestChanged(isOpen: Bool) {
    guestIsOpen = isOpen
    if isOpen { room.value.signal() }
  }

  /// What is on its way, from the guest and to it.
  var underWay: (output: [UInt8], input: [UInt8]) { (output.contents, input.contents) }

  /// Goes on from what another one had, before the guest does. What has come from the console already comes behind it.
  func restore(output saved: [UInt8], input waiting: [UInt8]) {
    output = ByteRing(holding: saved, capacity: Self.outputCapacity)
    input = ByteRing(holding: waiting + input.contents, capacity: Self.inputCapacity)
    if output.count > 0 { timer.value.arm(after: Self.batchTime) }
  }

  // MARK: The console's side

  package var outputDescriptor: Int32 { timer.value.rawValue }
  package func answerOutput() { timer.value.clear() }
  package func armOutput(after nanoseconds: UInt64) { timer.value.arm(after: nanoseconds) }
  package var inputRoomDescriptor: Int32 { room.value.rawValue }
  package func answerInputRoom() {
    room.value.clear()
    if input.count > 0 { becameReadable() }
  }
  package var signalInputRoom: @Sendable () -> Void {
    let room = room
    return { room.value.signal() }
  }

  package func takeOutput(limit: Int) -> [UInt8] {
    let bytes = output.removeFirst(limit: limit)
    if guestWaits, !bytes.isEmpty {
      guestWaits = false
      becameWritable()
    }
    return bytes
  }

  package func inputSpace() -> Int {
    sourceWaits = input.space == 0
    return input.space
  }

  package func receive(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      let fits = input.append(byte)
      precondition(fits, "input is offered when there is room")
    }
    if !bytes.isEmpty { becameReadable() }
  }
}
