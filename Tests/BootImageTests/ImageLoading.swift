import BootImage
import BootImageTesting
import GuestMemory

/// What ``BootImageFile/inspect(raw:)`` says of the bytes.
func inspect(_ bytes: [UInt8], raw: Bool = false) throws(BootImageError) -> BootImageDescription {
  try BootImageFile(name: "image", contents: bytes.span).inspect(raw: raw)
}

/// Inspects the bytes and loads them to `ram`.
func load(_ bytes: [UInt8], raw: Bool = false, into ram: borrowing PrivateRAM) throws(BootImageError) -> LoadedImage {
  let file = try BootImageFile(name: "image", contents: bytes.span)
  return try file.load(try file.inspect(raw: raw), into: ram)
}

/// Why `body` fails, or `nil` where it does not.
func reason(_ body: () throws(BootImageError) -> Void) -> BootImageError.Reason? {
  do throws(BootImageError) {
    try body()
    return nil
  } catch {
    return error.reason
  }
}

/// Why the bytes are refused by inspection.
func inspectionFailure(_ bytes: [UInt8]) -> BootImageError.Reason? {
  reason { () throws(BootImageError) in _ = try inspect(bytes) }
}

/// Why the bytes, which pass inspection or not, are refused in the end.
func loadFailure(_ bytes: [UInt8], ramSize: UInt64 = 8 << 20) throws -> BootImageError.Reason? {
  let ram = try makeRAM(size: ramSize)
  do throws(BootImageError) {
    _ = try load(bytes, into: ram)
    return nil
  } catch {
    return error.reason
  }
}
