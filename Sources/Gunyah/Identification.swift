/// What a guest learns of the hypervisor: which one it is, and what it has.
///
/// Gunyah Hypervisor API, "Hypervisor Identification"; Linux, arch/arm64/gunyah/gunyah_hypercall.c.
public enum Identification {
  /// The UID of Gunyah's services, c1d58fcd-a453-5fdb-9265-ce36673d5f14, as the SMC Calling Convention has it in w0 to
  /// w3.
  public static let uid: (UInt32, UInt32, UInt32, UInt32) = (0xCD8F_D5C1, 0xDB5F_53A4, 0x36CE_6592, 0x145F_3D67)

  /// The `api_info` of ``Hypercall/identify``: version 1, 64 bit (bit 15), the variant `Gunyah` (0x48 in bits 63:56).
  public static let apiInfo: UInt64 = 0x48 << 56 | 1 << 15 | 1

  /// The features of ``Hypercall/identify``'s first word of flags that are here.
  public static let features: UInt64 = doorbells | messageQueues | virtualCPUs | memoryExtents | virtualCPURun

  private static let doorbells: UInt64 = 1 << 1
  private static let messageQueues: UInt64 = 1 << 2
  private static let virtualCPUs: UInt64 = 1 << 5
  /// Early drivers refuse to lend memory where the hypervisor does not say this, although they ask the resource manager
  /// for it.
  private static let memoryExtents: UInt64 = 1 << 6
  private static let virtualCPURun: UInt64 = 1 << 11
}
