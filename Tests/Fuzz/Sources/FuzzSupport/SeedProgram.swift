/// Inputs for ``DriverProgram``, written as it reads them.
public enum SeedProgram {
  /// A payload in scratch memory, a chain whose readable buffers lie over it, and the notification, direct and through
  /// a table; and the chain once more with a bad one behind it in the same batch.
  ///
  /// - Parameters:
  ///   - payload: at most 31 bytes.
  ///   - readable: the sizes of the buffers to read; so `writable`.
  public static func chain(payload: [UInt8], queue: UInt8, readable: [UInt16], writable: [UInt16]) -> [UInt8] {
    let scratch: UInt16 = 0x4000
    var seed: [UInt8] = [0] + bytes(scratch) + [UInt8(payload.count)] + payload
    for operation in [1, 2] as [UInt8] {
      seed += [operation, queue, 0] + (operation == 2 ? [0] : []) + [UInt8(readable.count + writable.count)]
      var address = scratch
      for size in readable {
        seed += [0] + bytes(address) + bytes(size)
        address += size
      }
      for size in writable {
        seed += [2] + bytes(address) + bytes(size)
        address += size
      }
      seed += [3, queue, 0x40]
    }
    return seed + [3, queue, 0, 3, queue, 0xC0]
  }

  private static func bytes(_ number: UInt16) -> [UInt8] { [UInt8(number & 0xFF), UInt8(number >> 8)] }
}
