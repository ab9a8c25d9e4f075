// What calls and errors are called in Gunyah's documents, for somebody who reads a transcript.

extension Hypercall {
  /// The call's name, as the Gunyah Hypervisor API shortens it.
  public var name: String {
    switch self {
    case .identify: "hyp_identify"
    case .doorbellSend: "bell_send"
    case .doorbellReceive: "bell_receive"
    case .doorbellReset: "bell_reset"
    case .doorbellMask: "bell_mask"
    case .messageQueueSend: "msgq_send"
    case .messageQueueReceive: "msgq_recv"
    case .messageQueueFlush: "msgq_flush"
    case .messageQueueConfigureSend: "msgq_configure_send"
    case .messageQueueConfigureReceive: "msgq_configure_recv"
    case .vcpuRun: "vcpu_run"
    }
  }

  /// What x1 and those behind it are, as many as the call has.
  public var argumentNames: [String] {
    switch self {
    case .identify: []
    case .doorbellSend: ["cap", "new_flags"]
    case .doorbellReceive: ["cap", "clear_flags"]
    case .doorbellReset, .messageQueueFlush: ["cap"]
    case .doorbellMask: ["cap", "enable_mask", "ack_mask"]
    case .messageQueueSend: ["cap", "size", "address", "flags"]
    case .messageQueueReceive: ["cap", "address", "max_size"]
    case .messageQueueConfigureSend, .messageQueueConfigureReceive: ["cap", "threshold", "delay"]
    case .vcpuRun: ["cap", "resume_data", "resume_data1", "resume_data2"]
    }
  }

  /// What x1 and those behind it are after a success, as many as the call gives.
  public var outputNames: [String] {
    switch self {
    case .identify: ["flags0", "flags1", "flags2"]
    case .doorbellSend, .doorbellReceive: ["old_flags"]
    case .doorbellReset, .doorbellMask: []
    case .messageQueueSend: ["not_full"]
    case .messageQueueReceive: ["size", "not_empty"]
    case .messageQueueFlush, .messageQueueConfigureSend, .messageQueueConfigureReceive: []
    case .vcpuRun: ["state", "data0", "data1", "data2"]
    }
  }
}

extension CallNumber {
  /// The call's name.
  public var name: String {
    switch self {
    case .hypercall(let call): call.name
    case .serviceUID: "hyp_uid"
    case .serviceRevision: "hyp_revision"
    }
  }

  /// What x1 and those behind it are, as many as the call has.
  public var argumentNames: [String] {
    if case .hypercall(let call) = self { call.argumentNames } else { [] }
  }

  /// What x1 and those behind it are after a success, as many as the call gives.
  public var outputNames: [String] {
    switch self {
    case .hypercall(let call): call.outputNames
    case .serviceUID: ["uid1", "uid2", "uid3"]
    case .serviceRevision: []
    }
  }

  /// Whether x0 is a value, and no error's number.
  public var givesValue: Bool {
    switch self {
    case .hypercall(let call): call == .identify
    case .serviceUID, .serviceRevision: true
    }
  }
}

extension GunyahError {
  /// The error's name in the Gunyah Hypervisor API, "Error Codes".
  public var name: String {
    switch self {
    case .unimplemented: "UNIMPLEMENTED"
    case .retry: "RETRY"
    case .argumentInvalid: "ARGUMENT_INVALID"
    case .argumentSize: "ARGUMENT_SIZE"
    case .argumentAlignment: "ARGUMENT_ALIGNMENT"
    case .noMemory: "NOMEM"
    case .addressOverflow: "ADDR_OVERFLOW"
    case .addressInvalid: "ADDR_INVALID"
    case .denied: "DENIED"
    case .busy: "BUSY"
    case .objectState: "OBJECT_STATE"
    case .capabilityNull: "CSPACE_CAP_NULL"
    case .capabilityRevoked: "CSPACE_CAP_REVOKED"
    case .wrongObjectType: "CSPACE_WRONG_OBJECT_TYPE"
    case .insufficientRights: "CSPACE_INSUFFICIENT_RIGHTS"
    case .messageQueueEmpty: "MSGQUEUE_EMPTY"
    case .messageQueueFull: "MSGQUEUE_FULL"
    }
  }
}

extension RMError {
  /// The error's name, as Gunyah's resource manager has it.
  public var name: String {
    switch self {
    case .noMemory: "NOMEM"
    case .noResource: "NORESOURCE"
    case .denied: "DENIED"
    case .messageInvalid: "MSG_INVALID"
    case .busy: "BUSY"
    case .argumentInvalid: "ARGUMENT_INVALID"
    case .handleInvalid: "HANDLE_INVALID"
    case .validateFailed: "VALIDATE_FAILED"
    case .mapFailed: "MAP_FAILED"
    case .memoryInvalid: "MEM_INVALID"
    case .memoryInUse: "MEM_INUSE"
    case .memoryReleased: "MEM_RELEASED"
    case .vmidInvalid: "VMID_INVALID"
    case .lookupFailed: "LOOKUP_FAILED"
    case .interruptInvalid: "IRQ_INVALID"
    case .interruptInUse: "IRQ_INUSE"
    case .interruptReleased: "IRQ_RELEASED"
    case .inUse: "IN_USE"
    case .notMapped: "NOT_MAPPED"
    case .machineState: "VM_STATE"
    case .unimplemented: "UNIMPLEMENTED"
    }
  }
}

extension MachineState {
  /// The state's name, as Gunyah's resource manager has it.
  public var name: String {
    switch self {
    case .initial: "INIT"
    case .ready: "READY"
    case .running: "RUNNING"
    case .load: "LOAD"
    case .authentication: "AUTH"
    case .initializationFailed: "INIT_FAILED"
    case .exited: "EXITED"
    case .resetting: "RESETTING"
    case .reset: "RESET"
    }
  }
}
