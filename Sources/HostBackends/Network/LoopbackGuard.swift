/// Tells packets for loopback addresses from others, by the bytes that they begin with.
///
/// No such packet belongs on a wire (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), but a guest can write what it likes, and
/// passt of before 2024 connects to the host's 127.0.0.1 for it, whatever its options say. 0.0.0.0 and :: are the host
/// itself for Linux, too, and an IPv4 address in IPv6's form is that address.
package enum LoopbackGuard {
  /// How many bytes of a packet have to be looked at: the link header and an IPv6 header.
  package static let size = linkHeader + 40

  private static let linkHeader = 14
  /// Where in the link header the type is, and the types (IEEE 802.3; RFC 894, RFC 2464).
  private static let type = 12
  private static let ipv4: [UInt8] = [0x08, 0x00]
  private static let ipv6: [UInt8] = [0x86, 0xDD]
  /// Where a packet's destination is (RFC 791, 3.1; RFC 8200, 3).
  private static let ipv4Destination = linkHeader + 16
  private static let ipv6Destination = linkHeader + 24

  /// - Parameter packet: at least the first ``size`` bytes of the packet, or all of it.
  package static func isForLoopback(_ packet: UnsafeRawBufferPointer) -> Bool {
    func bytes(at offset: Int, _ count: Int) -> Slice<UnsafeRawBufferPointer>? {
      // SAFETY: the slice lies in the buffer as checked.
      unsafe packet.count >= offset + count ? packet[offset..<offset + count] : nil
    }
    // SAFETY: as above, for what follows.
    guard let type = unsafe bytes(at: Self.type, 2) else { return false }
    if unsafe type.elementsEqual(ipv4) {
      return unsafe bytes(at: ipv4Destination, 4).map { unsafe isLoopback4($0) } ?? false
    }
    guard unsafe type.elementsEqual(ipv6), let address = unsafe bytes(at: ipv6Destination, 16) else { return false }
    // :: and ::1, and with ::ffff:a.b.c.d the forms in which IPv4 addresses are written, which go as IPv4 or not at
    // all.
    return unsafe address.prefix(10).allSatisfy { $0 == 0 }
  }

  private static func isLoopback4(_ address: Slice<UnsafeRawBufferPointer>) -> Bool {
    // SAFETY: the address has four bytes.
    unsafe address.first == 127 || address.first == 0
  }
}
