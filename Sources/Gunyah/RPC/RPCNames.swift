extension MessageID {
  /// The message's name, as Gunyah's resource manager has it, or nil where it is not known.
  public var name: String? { MessageID.names[self] }

  private static let names: [MessageID: String] = [
    .donate: "MEM_DONATE", .accept: "MEM_ACCEPT", .lend: "MEM_LEND", .share: "MEM_SHARE", .release: "MEM_RELEASE",
    .reclaim: "MEM_RECLAIM", .notify: "MEM_NOTIFY", .append: "MEM_APPEND", .parcelShared: "MEM_SHARED",
    .parcelReleased: "MEM_RELEASED", .parcelAccepted: "MEM_ACCEPTED", .parcelRecall: "MEM_RECALL",
    .allocate: "VM_ALLOCATE", .deallocate: "VM_DEALLOCATE", .start: "VM_START", .stop: "VM_STOP", .reset: "VM_RESET",
    .configureImage: "VM_CONFIG_IMAGE", .authenticateImage: "VM_AUTH_IMAGE", .initialize: "VM_INIT",
    .getOwner: "VM_GET_OWNER", .getState: "VM_GET_STATE", .getResources: "VM_GET_HYP_RESOURCES",
    .getVMID: "VM_GET_VMID", .getPeers: "VM_GET_PEERS", .setFirmwareMemory: "VM_SET_FIRMWARE_MEM",
    .setStatus: "VM_SET_STATUS", .exit: "VM_EXIT", .machineExited: "VM_EXITED", .shutdown: "VM_SHUTDOWN",
    .machineStatus: "VM_STATUS", .interruptAccept: "VM_IRQ_ACCEPT", .interruptUnmap: "VM_IRQ_UNMAP",
    MessageID(rawValue: 0x5600_0051): "VM_IRQ_LEND", MessageID(rawValue: 0x5600_0052): "VM_IRQ_RELEASE",
    MessageID(rawValue: 0x5600_0053): "VM_IRQ_RECLAIM", MessageID(rawValue: 0x5600_0054): "VM_IRQ_NOTIFY",
  ]
}
