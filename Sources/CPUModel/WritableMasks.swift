package import KVM

/// Which bits of ID registers this kernel lets a monitor change, from KVM_ARM_GET_REG_WRITABLE_MASKS.
package struct WritableMasks: Equatable, Sendable {
  private let masks: [RegisterID: UInt64]

  /// What ``KVM/VirtualMachine/writableMasks()`` told: none of a kernel that does not tell.
  package init(_ masks: [RegisterID: UInt64]) {
    self.masks = masks.isEmpty ? Self.old.masks : masks
  }

  private init(exactly masks: [RegisterID: UInt64]) {
    self.masks = masks
  }

  /// A kernel without KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, before Linux 6.7: nothing but the two fields of
  /// ID_AA64PFR0_EL1 that tell of speculation, CSV2 and CSV3.
  package static let old = WritableMasks(exactly: [.system(3, 0, 0, 4, 0): 0xFF << 56])

  /// The writable bits of a register; 0 for one that is none of the ID registers.
  package func mask(of id: RegisterID) -> UInt64 { masks[id] ?? 0 }
}
