// uint64_t machine_identification(uint64_t index)
// The ID register of op0 3, op1 0, CRn 0 whose CRm is in bits 5 to 3 of the index and whose op2 is in bits 2 to 0. An
// instruction names its register, so there is one for each.
    .section .text.machine_identification, "ax"
    .global machine_identification
machine_identification:
    adr     x1, 1f
    add     x1, x1, x0, lsl #3
    br      x1
1:
    .irp    crm, 0, 1, 2, 3, 4, 5, 6, 7
    .irp    op2, 0, 1, 2, 3, 4, 5, 6, 7
    mrs     x0, S3_0_C0_C\crm\()_\op2
    ret
    .endr
    .endr
